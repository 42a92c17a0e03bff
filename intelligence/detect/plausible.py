# ruff: noqa: E501  (a pattern reads better whole)
"""Could this be a secret, or is it an example, a reference, a name, a hash?"""

from __future__ import annotations

from collections import Counter
from math import log2

from intelligence.detect.engine import compiled

# What stands in documentation instead of a secret, or refers to one.
_PLACEHOLDER = compiled(
    r"(?i)example|placeholder|your[-_ ]?(?:own|api|key|token|secret|pass|access|client|app|auth|org|proj)|^your|changeme|change[-_]me|replace[-_]?(?:me|with|this)?"
    r"|dummy|redacted|\bfake|sample|insert|xxxx|XXXX|\*\*\*|\.\.\.|…|____|----[^-B]|####|0000000|1111111|abcdefgh|12345678|9999999"
    r"|put[-_]|\btodo\b|<[a-z_ -]{1,40}>|\$\{|\$\(|\{\{|%\(|%[A-Za-z_]+%|^\$[A-Za-z_]|not[-_]?(?:a[-_]?)?(?:real|secret|needed|valid)|lowEntropy|foo[-_]?bar|testtest|hunter2"
    r"|^(?:test|dev|my|the|some|any|no|none|null|nil|true|false|undefined|password|passwd|secret|token|username|user|pass|key|admin|string|value|mock|default)[-_]?(?:api)?[-_]?(?:key|token|secret|password|pass|pwd|value|user|auth)?[0-9]{0,3}$"
)
# Published as examples by those who make them.
_DOCUMENTED = (
    b"sk_test_4eC39HqLyjWDarjtT1zdp7dc",
    b"sk_test_BQokikJOvBiI2HlWgH4olfQ2",
    b"SflKxwRJSMeKKF2QT4fwpMeJf36POk6yJV_adQssw5c",
    b"TJVA95OrM7E2cBab30RMHrHDcEfxjoYZgeFONFh7HgQ",
    b"Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq",
    b"QWxhZGRpbjpvcGVuIHNlc2FtZQ",
    b"dXNlcm5hbWU6cGFzc3dvcmQ",
    b"dXNlcjpwYXNzd29yZA",
)


def placeholder(value: bytes) -> bool:
    """Whether this is written where a secret would stand, and is none."""
    return (
        _PLACEHOLDER.search(value) is not None
        or any(d in value for d in _DOCUMENTED)
        or (len(value) >= 16 and len(set(value[-16:])) <= 4)
    )


def entropy(value: bytes) -> float:
    """Bits per character, by Shannon, of this value alone."""
    size = len(value)
    return -sum(n / size * log2(n / size) for n in Counter(value).values()) if size else 0.0


def varied(value: bytes) -> bool:
    """A password somebody uses: letters and something that is none, or long and mixed."""
    letters = any(c in b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ" for c in value)
    other = any(c in b"0123456789!@#%^&*?~+=/$" for c in value)
    mixed = value.lower() != value != value.upper()
    return len(value) >= 5 and letters and (other or (mixed and len(value) >= 14)) and entropy(value) >= 2.0
