"""Whether a port can be listened on, and if not, who has it."""

from __future__ import annotations

import errno
import shutil
import socket
import subprocess
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Holder:
    """A process that listens on a port. `command` is its command line, as far as it is known."""

    pid: int
    command: str


def is_taken(host: str, port: int) -> bool:
    """Whether something listens there. Raises `OSError` for an address that is none of this machine's."""
    if port == 0:
        return False
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # one that has just left does not count
        try:
            probe.bind((host, port))
            probe.listen(1)
        except PermissionError:
            return False  # a port below 1024: its own error says more
        except OSError as e:
            if e.errno == errno.EADDRINUSE:
                return True
            raise
    return False


def holder(port: int) -> Holder | None:
    """The process that listens on `port`, if we may know."""
    if Path("/proc/net/tcp").exists():
        return _holder_from_proc(port)
    return _holder_from_lsof(port) if shutil.which("lsof") else None


def _holder_from_proc(port: int) -> Holder | None:
    inodes = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            lines = Path(table).read_text().splitlines()[1:]
        except OSError:
            continue
        for fields in map(str.split, lines):
            if fields[3] == "0A" and int(fields[1].rpartition(":")[2], 16) == port:  # 0A: listening
                inodes.add(f"socket:[{fields[9]}]")
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if any(str(fd.readlink()) in inodes for fd in (process / "fd").iterdir()):
                words = (process / "cmdline").read_bytes().rstrip(b"\0").split(b"\0")
                return Holder(int(process.name), b" ".join(words).decode("utf-8", "replace"))
        except OSError:  # another user's, or gone
            continue
    return None


def _holder_from_lsof(port: int) -> Holder | None:
    listing = subprocess.run(
        ["lsof", "-nP", f"-iTCP:{port}", "-sTCP:LISTEN", "-Fpc"],
        capture_output=True,
        text=True,
        check=False,
        timeout=10,
    ).stdout.splitlines()
    fields = {line[0]: line[1:] for line in reversed(listing) if line}
    return Holder(int(fields["p"]), fields.get("c", "")) if "p" in fields else None
