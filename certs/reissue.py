"""What to tell the user when the CA changes.

Name and key stay the same, so a verifier that knows only the old certificate finds it for every leaf, and applies the old
limits. With both in one store it may find either: the new certificate must take the old one's place.
"""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509

from certs import authority

_NAMED = 5


@dataclass(frozen=True, slots=True)
class Why:
    """The limits before and now (None: unlimited), and the old certificate's end if that is near."""

    before: x509.NameConstraints | None
    now: x509.NameConstraints | None
    expires: datetime.datetime | None

    @property
    def added(self) -> list[str]:
        """Names that the old certificate refuses."""
        return _outside(self.now, self.before)

    @property
    def removed(self) -> list[str]:
        """Names that the new one refuses."""
        return _outside(self.before, self.now)

    @property
    def any_name_now(self) -> bool:
        return self.now is not None and not authority.limits_dns(self.now)

    @property
    def any_name_before(self) -> bool:
        return self.before is not None and not authority.limits_dns(self.before)

    @property
    def grew(self) -> bool:
        """Whether the old certificate refuses something that the new one does not."""
        if self.before is None:
            return False
        return self.now is None or bool(self.added) or (self.any_name_now and not self.any_name_before)


def message(why: Why, cert: Path, limits: x509.NameConstraints | None) -> str:
    """What happened, what goes on working, what to do."""
    parts = [
        f"The CA was issued anew, with the same key and name: {'; '.join(_reasons(why))}.",
        f"Programs that `llmitm exec` or `llmitm env` starts from now on use the new certificate. {_elsewhere(why)}",
        f"To renew it there: `llmitm trust install` for this machine's trust store; in browsers, containers and other "
        f"stores put {cert} in the old one's place (remove the old one: side by side, either may be used).",
    ]
    return "\n".join([*parts, *filter(None, [unlimited_names(limits)])])


def replaced(ca: Path, cert: Path) -> str:
    return (
        f"A new CA was made, as its key was gone ({ca}). Whatever trusted the old one must be given {cert} "
        "instead: `llmitm trust install` does it for this machine's trust store."
    )


def foreign(ca: Path, present: x509.NameConstraints | None, wanted: x509.NameConstraints) -> str | None:
    """For a CA that llmitm did not make."""
    if present is None:
        return (
            f"{ca} was not made by llmitm and has no name constraints: whoever gets its key can speak for any host. "
            "Move it away to have a limited CA made, or set certs.name_constraints = false to accept it."
        )
    if missing := _outside(wanted, present):
        return (
            f"{ca} was not made by llmitm, and its name constraints leave out {_some(missing)}: "
            "clients will refuse our certificates there."
        )
    return None


def unlimited_names(limits: x509.NameConstraints | None) -> str | None:
    if limits is None or authority.limits_dns(limits):
        return None
    return (
        "A host in scope is a pattern that could be any name, so the CA can sign for every host: "
        "write scope.hosts with whole domain names to have it limited."
    )


def _reasons(why: Why) -> list[str]:
    reasons = []
    if why.expires:
        reasons.append(f"the old certificate ends on {why.expires:%Y-%m-%d}")
    if why.before == why.now:
        return reasons
    if why.before is None:
        return [*reasons, "from now on it can sign for the hosts in scope only"]
    if why.now is None:
        return [*reasons, "certs.name_constraints is off, so it can sign for every host"]
    if why.any_name_now and not why.any_name_before:
        reasons.append("the scope grew by a pattern that could be any name")
    if why.any_name_before and not why.any_name_now:
        reasons.append("the scope has no pattern any more that could be any name")
    if why.added:
        reasons.append(f"the scope grew by {_some(why.added)}")
    if why.removed:
        reasons.append(f"the scope no longer needs {_some(why.removed)}")
    return reasons


def _elsewhere(why: Why) -> str:
    if why.expires:
        return "Where the old one was installed, it works until its end."
    if why.grew:
        return "Where the old one was installed, it goes on working for the old hosts and is refused for the new ones."
    return "Where the old one was installed, everything goes on working, with the old, wider limits."


def _outside(names: x509.NameConstraints | None, limits: x509.NameConstraints | None) -> list[str]:
    """What of these names is not within the limits."""
    if names is None or limits is None:
        return []
    return [name for name in authority.permitted_names(names) if not authority.permits(limits, name)]


def _some(names: list[str]) -> str:
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {more} more" if more > 0 else "")
