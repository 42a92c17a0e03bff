"""What verifiers make of the CA: a host in scope is trusted by all of them, any other refused by all, for the right reason."""

from __future__ import annotations

import os
import shutil
import socket
import ssl
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from certs.ca import ensure_ca
from tests.certs.peers import leaf_for, serving

DNS = ["openai.azure.com", "api.openai.com", "localhost"]
ADDRESSES = ["127.0.0.1", "::1"]

_NODE = """
const [ca, port, host] = process.argv.slice(1)
const options = {ca: require("fs").readFileSync(ca), socket: require("net").connect(port, "127.0.0.1"), host}
if (!require("net").isIP(host)) options.servername = host
require("tls").connect(options, () => { console.log("trusted"); process.exit(0) })
  .on("error", error => { console.error(error.message); process.exit(1) })
"""

Verifier = Callable[[Path, Path, str], str]


def _tool(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        if os.environ.get("CI"):
            pytest.fail(f"{name} is not installed")
        pytest.skip(f"{name} is not installed")
    return found


def _run(*argv: str) -> str:
    env = {"PATH": os.environ["PATH"]}
    done = subprocess.run(argv, capture_output=True, text=True, timeout=30, env=env)
    return "trusted" if done.returncode == 0 else (done.stderr + done.stdout).strip()


def by_python(ca: Path, leaf: Path, host: str) -> str:
    context = ssl.create_default_context(cafile=str(ca))
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    with serving(leaf) as port, socket.create_connection(("127.0.0.1", port), 10) as plain:
        try:
            with context.wrap_socket(plain, server_hostname=host):
                return "trusted"
        except ssl.SSLCertVerificationError as e:
            return str(e)


def by_openssl(ca: Path, leaf: Path, host: str) -> str:
    name = "-verify_ip" if host[0].isdigit() or ":" in host else "-verify_hostname"
    purpose = ("-x509_strict", "-purpose", "sslserver", name, host)
    return _run(_tool("openssl"), "verify", *purpose, "-CAfile", str(ca), str(leaf))


def by_curl(ca: Path, leaf: Path, host: str) -> str:
    netloc = f"[{host}]" if ":" in host else host
    with serving(leaf) as port:
        to = ("--connect-to", f"::127.0.0.1:{port}")
        return _run(_tool("curl"), "-q", "-sS", "-m", "10", *to, "--cacert", str(ca), f"https://{netloc}/")


def by_node(ca: Path, leaf: Path, host: str) -> str:
    node = _tool("node")
    with serving(leaf) as port:
        return _run(node, "-e", _NODE, str(ca), str(port), host)


VERIFIERS = [by_python, by_openssl, by_curl, by_node]


@pytest.fixture(scope="module")
def limited(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("limited")
    ensure_ca(folder, DNS, ADDRESSES, name_constraints=True)
    return folder


@pytest.fixture(scope="module")
def without_addresses(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("without-addresses")
    ensure_ca(folder, DNS, [], name_constraints=True)
    return folder


@pytest.mark.parametrize("verify", VERIFIERS)
@pytest.mark.parametrize("host", ["api.openai.com", "mine.openai.azure.com", "localhost", "127.0.0.1", "::1"])
def test_in_scope_is_trusted(limited: Path, verify: Verifier, host: str) -> None:
    assert verify(limited / "mitmproxy-ca-cert.pem", leaf_for(limited, host), host) == "trusted"


@pytest.mark.parametrize("verify", VERIFIERS)
@pytest.mark.parametrize(
    "host", ["example.com", "openai.com", "notapi.openai.com", "192.0.2.1", "127.0.0.2", "2001:db8::1"]
)
def test_out_of_scope_is_refused(limited: Path, verify: Verifier, host: str) -> None:
    verdict = verify(limited / "mitmproxy-ca-cert.pem", leaf_for(limited, host), host)
    assert "permitted subtree violation" in verdict


@pytest.mark.parametrize("verify", VERIFIERS)
@pytest.mark.parametrize("host", ["127.0.0.1", "192.0.2.1", "::1"])
def test_no_address_is_trusted_when_none_is_in_scope(
    without_addresses: Path, verify: Verifier, host: str
) -> None:
    ca, leaf = without_addresses / "mitmproxy-ca-cert.pem", leaf_for(without_addresses, host)
    assert "excluded subtree violation" in verify(ca, leaf, host)


@pytest.mark.parametrize("verify", VERIFIERS)
def test_a_name_out_of_scope_beside_one_in_scope_is_refused(limited: Path, verify: Verifier) -> None:
    leaf = leaf_for(limited, "api.openai.com", "example.com")
    verdict = verify(limited / "mitmproxy-ca-cert.pem", leaf, "api.openai.com")
    assert "permitted subtree violation" in verdict


@pytest.mark.parametrize("verify", VERIFIERS)
def test_limits_off_trusts_every_host(tmp_path: Path, verify: Verifier) -> None:
    ensure_ca(tmp_path, DNS, ADDRESSES, name_constraints=False)
    assert (
        verify(tmp_path / "mitmproxy-ca-cert.pem", leaf_for(tmp_path, "example.com"), "example.com")
        == "trusted"
    )


@pytest.mark.parametrize("verify", VERIFIERS)
def test_after_the_scope_grew_the_old_certificate_knows_the_old_hosts_only(
    tmp_path: Path, verify: Verifier
) -> None:
    ensure_ca(tmp_path, DNS, ADDRESSES, name_constraints=True)
    old = tmp_path / "old.pem"
    old.write_bytes((tmp_path / "mitmproxy-ca-cert.pem").read_bytes())
    before = leaf_for(tmp_path, "api.openai.com")
    new = ensure_ca(tmp_path, [*DNS, "llm.example"], ADDRESSES, name_constraints=True).paths.cert

    assert verify(new, before, "api.openai.com") == "trusted"
    assert verify(old, leaf_for(tmp_path, "api.openai.com"), "api.openai.com") == "trusted"
    added = leaf_for(tmp_path, "llm.example")
    assert verify(new, added, "llm.example") == "trusted"
    assert "permitted subtree violation" in verify(old, added, "llm.example")
