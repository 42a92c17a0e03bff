"""The environment that sends a process tree's LLM calls through the proxy and makes it trust our CA.

No two clients read the same variables (`docs/cli.md` has the table), so all are set. What the user had set is honoured:
a CA file of theirs is joined with ours in a new file, `NO_PROXY` is extended. `REPLACED` keeps what was there before, so the
change can be undone, and made twice without piling up.

Plain HTTP goes through the proxy too (a model server in the local network is recorded), but not to this machine,
so that dev servers keep working, nor to the cloud metadata addresses, where SDKs fetch their credentials. `local`
sends calls to this machine through the proxy as well; it lets them pass to the ports in `proxy.allow_loopback`.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from urllib.parse import urlsplit

PROXIES = ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy")
NO_PROXIES = ("NO_PROXY", "no_proxy")
# These replace a client's own list of CAs: they need the system's roots as well as ours.
WHOLE_STORES = (
    "SSL_CERT_FILE",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "AWS_CA_BUNDLE",
    "GIT_SSL_CAINFO",
    "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH",
)
# These add to it.
ADDED_CAS = ("NODE_EXTRA_CA_CERTS", "DENO_CERT")
# Node's own fetch heeds the proxy variables with this from Node 24 (22.21) on; in an older one the preloaded file sees to it.
NODE_PROXIES = ("NODE_USE_ENV_PROXY", "NODE_OPTIONS")
NODE_PRELOAD = Path(__file__).with_name("node_proxy.cjs")
VARIABLES = (*PROXIES, *NO_PROXIES, *WHOLE_STORES, *ADDED_CAS, *NODE_PROXIES)
# JSON of what the variables were before; null for one that was not set. (Not `LLMITM_…`: those are settings.)
REPLACED = "_LLMITM_REPLACED"

THIS_MACHINE = ("localhost", ".localhost", "127.0.0.1", "::1", "0.0.0.0")
METADATA = ("169.254.169.254", "169.254.170.2", "169.254.170.23", "fd00:ec2::254", "metadata.google.internal")


def client_variables(
    proxy_url: str, certs_dir: Path, env: Mapping[str, str], *, local: bool = False
) -> dict[str, str]:
    """The variables to add to `env`, in which `original` has undone an earlier round.

    Reads the CA's files in `certs_dir`, and writes a joined file there for each CA file of the user's. Raises `OSError`.
    """
    ca_file, bundle = certs_dir / "mitmproxy-ca-cert.pem", certs_dir / "bundle.pem"
    theirs = {name: Path(env[name]) for name in (*WHOLE_STORES, *ADDED_CAS) if _is_file(env.get(name))}
    variables = dict.fromkeys(PROXIES, proxy_url)
    variables |= dict.fromkeys(NO_PROXIES, no_proxy(env, local=local))
    for name in WHOLE_STORES:
        parts = [theirs[name], ca_file] if name in theirs else [bundle, *theirs.values()]
        variables[name] = str(_joined(certs_dir, parts))
    for name in ADDED_CAS:
        parts = [theirs[name], ca_file] if name in theirs else [ca_file]
        variables[name] = str(_joined(certs_dir, parts))
    variables["NODE_USE_ENV_PROXY"] = "1"
    variables["NODE_OPTIONS"] = " ".join(filter(None, [env.get("NODE_OPTIONS"), _preload(NODE_PRELOAD)]))
    variables[REPLACED] = json.dumps({name: env.get(name) for name in variables})
    return variables


def original(env: Mapping[str, str]) -> dict[str, str]:
    """`env` without what an earlier round set in it."""
    before: dict[str, str | None] = {**env, **replaced(env), REPLACED: None}
    return {name: value for name, value in before.items() if value is not None}


def replaced(env: Mapping[str, str]) -> dict[str, str | None]:
    """What each variable that an earlier round set was before; empty if there was none."""
    try:
        values = json.loads(env.get(REPLACED, "{}"))
    except ValueError:
        return {}
    return {name: values.get(name) for name in VARIABLES} if values else {}


def no_proxy(env: Mapping[str, str], *, local: bool) -> str:
    """The user's `NO_PROXY` with this machine (or, if `local`, without it) and the metadata addresses."""
    theirs = [part.strip() for name in NO_PROXIES for part in env.get(name, "").split(",") if part.strip()]
    wanted = [*theirs, *([] if local else THIS_MACHINE), *METADATA]
    if local:
        wanted = [part for part in wanted if part.lower() not in (*THIS_MACHINE, "127.0.0.0/8", "127.*")]
    return ",".join(dict.fromkeys(wanted))


def other_proxy(env: Mapping[str, str], ours: Iterable[str]) -> str | None:
    """The proxy this environment already sends HTTPS to, unless it is one of `ours` (host:port)."""
    for name in ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        if value := env.get(name):
            url = urlsplit(value if "://" in value else f"http://{value}")
            return None if is_ours(value, ours) else url.geturl()
    return None


def is_ours(proxy_url: str, ours: Iterable[str]) -> bool:
    url = urlsplit(proxy_url if "://" in proxy_url else f"http://{proxy_url}")
    try:
        address = f"{url.hostname}:{url.port}"
    except ValueError:  # no port number
        return False
    return address.replace("localhost:", "127.0.0.1:") in ours


def _preload(file: Path) -> str:
    path = str(file).replace("\\", "\\\\").replace('"', '\\"')
    return f'--require "{path}"'


def _is_file(name: str | None) -> bool:
    return bool(name) and Path(str(name)).is_file()


def _joined(folder: Path, parts: list[Path]) -> Path:
    """One file with the certificates of all `parts`, named for them, so that it is made anew only when one changed."""
    parts = list(dict.fromkeys(parts))
    if len(parts) == 1:
        return parts[0]
    text = b"\n".join(part.read_bytes().strip() for part in parts) + b"\n"
    name = hashlib.sha256("\0".join(map(str, parts)).encode()).hexdigest()[:12]
    target = folder / f"joined-{name}.pem"
    if not target.is_file() or target.read_bytes() != text:
        draft = folder / f".{target.name}.{os.getpid()}"
        draft.write_bytes(text)
        draft.replace(target)
    return target
