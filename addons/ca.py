"""Our CA for the scope of a configuration: every process that needs it calls `ensure` first.

It must be there before mitmproxy looks, which would else make an unlimited CA of its own.
"""

from __future__ import annotations

from addons.settings import registry_of
from certs import files
from certs.bundle import refresh_bundle
from certs.ca import CaResult, ensure_ca
from intelligence.config import Config


def ensure(config: Config) -> CaResult:
    """CA and bundle as the configuration wants them. Quick when they are. Raises `CertsError`, `ConfigError`, `OSError`."""
    registry = registry_of(config)
    folder = config.certs.dir
    result = ensure_ca(
        folder,
        registry.dns_subtrees(),
        registry.ip_addresses(),
        name_constraints=config.certs.name_constraints,
    )
    # With `connect_to`, that CA is a stand-in's: no client of the user's should go on trusting it.
    corporate = config.proxy.upstream_ca if not config.proxy.connect_to else None
    refresh_bundle(folder, [corporate] if corporate else [])
    dhparam = folder / "mitmproxy-dhparam.pem"
    if not dhparam.is_file():
        # mitmproxy would write it, but not at once: another one starting now could read half of it.
        from mitmproxy.certs import DEFAULT_DHPARAM

        with files.locked(folder):
            files.write(dhparam, DEFAULT_DHPARAM)
    return result
