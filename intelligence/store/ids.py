"""Identifiers and the install key.

Calls are named by UUIDs of version 7 (RFC 9562): they sort by time, so `calls.id` clusters in the database.
The install key is 32 random bytes made once per data folder; every fingerprint and conversation key is an HMAC under it,
so that what rests on disk says nothing to someone who has only the disk of another installation.
"""

from __future__ import annotations

import hmac
import os
import time
from pathlib import Path

KEY_FILE = "install.key"
# Of the id of a call. What follows tells the responses on one WebSocket apart: `<id>.<n>`.
UUID_CHARS = 36


def uuid7(t_ms: int | None = None) -> bytes:
    """16 bytes: 48 bits of Unix milliseconds, then version, variant and 74 random bits."""
    rand = bytearray(os.urandom(10))
    rand[0] = 0x70 | rand[0] & 0x0F
    rand[2] = 0x80 | rand[2] & 0x3F
    return (time.time_ns() // 1_000_000 if t_ms is None else t_ms).to_bytes(6, "big") + rand


def id_text(raw: bytes) -> str:
    """The usual 36 characters of a UUID."""
    h = raw.hex()
    return f"{h[:8]}-{h[8:12]}-{h[12:16]}-{h[16:20]}-{h[20:]}"


def install_key(data_dir: Path) -> bytes:
    """The key of this data folder, made at first use (0600). Raises `OSError`."""
    path = data_dir / KEY_FILE
    data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not path.exists():
        draft = data_dir / f".{KEY_FILE}.{os.getpid()}"
        draft.write_bytes(os.urandom(32))
        draft.chmod(0o600)
        try:
            os.link(draft, path)  # atomic: of two processes that start together, one makes the key
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    return path.read_bytes()


def keyed_hash(key: bytes, *parts: bytes) -> str:
    """32 hex digits of HMAC-SHA256 over the parts, each prefixed by its length so that no two lists collide."""
    mac = hmac.new(key, digestmod="sha256")
    for part in parts:
        mac.update(len(part).to_bytes(8, "big"))
        mac.update(part)
    return mac.hexdigest()[:32]
