from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography import x509

from certs import trust_store
from certs.ca import ensure_ca, load_ca
from certs.errors import CertsError
from certs.trust_store import Plan, Store, find_store, install_plan, leftovers, status, uninstall_plan
from tests.certs import machines

ADDRESSES = ["127.0.0.1"]


@pytest.fixture(autouse=True)
def as_root(monkeypatch: pytest.MonkeyPatch) -> None:
    """The small systems belong to whoever runs the tests: no sudo."""
    monkeypatch.setattr(trust_store.os, "geteuid", lambda: 0)


@pytest.fixture(scope="module")
def other_roots(tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    return [certificate_and_file(tmp_path_factory.mktemp("other"))[1].read_bytes() for _ in range(2)]


@pytest.fixture(params=[machines.debian, machines.red_hat])
def root(request: pytest.FixtureRequest, tmp_path: Path, other_roots: list[bytes]) -> Path:
    make: Callable[..., Path] = request.param
    return make(tmp_path / "machine", other_roots=other_roots)


@pytest.fixture
def store(root: Path) -> Store:
    found = find_store(root)
    assert found
    subprocess.run(found.update, check=True)
    return found


def certificate_and_file(folder: Path, *hosts: str) -> tuple[x509.Certificate, Path]:
    paths = ensure_ca(folder, ["api.openai.com", *hosts], ADDRESSES, name_constraints=True).paths
    ca = load_ca(folder)
    assert ca
    return ca.certificate, paths.cert


def test_install_and_uninstall_leave_nothing(store: Store, root: Path, tmp_path: Path) -> None:
    certificate, file = certificate_and_file(tmp_path / "certs")
    before = machines.everything_in(root)
    assert status(store, certificate).state == "absent"

    install_plan(store, certificate, file).run()
    assert status(store, certificate).state == "installed"
    anchor = store.anchor(certificate)
    assert anchor.read_bytes() == file.read_bytes()
    assert anchor.stat().st_mode & 0o777 == 0o644
    assert leftovers(store, [anchor])

    uninstall_plan(store, [anchor]).run()
    assert status(store, certificate).state == "absent"
    assert leftovers(store, [anchor]) == []
    assert machines.everything_in(root) == before


def test_a_ca_issued_anew_takes_the_old_one_s_place(store: Store, tmp_path: Path) -> None:
    old, file = certificate_and_file(tmp_path / "certs")
    install_plan(store, old, file).run()
    new, file = certificate_and_file(tmp_path / "certs", "llm.example")
    assert store.anchor(new) == store.anchor(old)
    assert status(store, new).state == "outdated"
    install_plan(store, new, file).run()
    assert status(store, new).state == "installed"
    assert status(store, old).state == "outdated"


def test_an_update_that_did_not_run_is_seen(store: Store, tmp_path: Path) -> None:
    certificate, file = certificate_and_file(tmp_path / "certs")
    shutil.copy(file, store.anchor(certificate))
    assert status(store, certificate).state == "incomplete"
    install_plan(store, certificate, file).run()
    assert status(store, certificate).state == "installed"
    store.anchor(certificate).unlink()
    assert status(store, certificate).state == "incomplete"


def test_two_installations_do_not_meet(store: Store, tmp_path: Path) -> None:
    mine, my_file = certificate_and_file(tmp_path / "mine")
    theirs, their_file = certificate_and_file(tmp_path / "theirs")
    install_plan(store, mine, my_file).run()
    install_plan(store, theirs, their_file).run()
    assert status(store, mine).others == (store.anchor(theirs),)
    uninstall_plan(store, [store.anchor(mine)]).run()
    assert status(store, mine).state == "absent"
    assert status(store, theirs).state == "installed"


def test_debian_s_own_links_find_it_by_its_subject(tmp_path: Path, other_roots: list[bytes]) -> None:
    root = machines.debian(tmp_path / "machine", other_roots=other_roots)
    store = find_store(root)
    assert store
    certificate, file = certificate_and_file(tmp_path / "certs")
    install_plan(store, certificate, file).run()
    verify = [
        "openssl",
        "verify",
        "-x509_strict",
        "-CApath",
        str(root / "etc/ssl/certs"),
        "-no-CAfile",
        "-no-CAstore",
    ]
    done = subprocess.run([*verify, str(file)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_java_is_told_of_each_change(tmp_path: Path, other_roots: list[bytes]) -> None:
    root = machines.debian(tmp_path / "machine", other_roots=other_roots)
    store = find_store(root)
    assert store
    subprocess.run(store.update, check=True)
    certificate, file = certificate_and_file(tmp_path / "certs")
    link = root / "etc/ssl/certs" / f"{store.anchor(certificate).stem}.pem"
    start = len(machines.told_java(root))

    install_plan(store, certificate, file).run()
    certificate, file = certificate_and_file(tmp_path / "certs", "llm.example")
    install_plan(store, certificate, file).run()
    uninstall_plan(store, [store.anchor(certificate)]).run()
    assert machines.told_java(root)[start:] == [f"+{link}", f"+{link}", f"-{link}"]


def test_without_java_nothing_is_told(tmp_path: Path, other_roots: list[bytes]) -> None:
    store = find_store(machines.debian(tmp_path / "machine", other_roots=other_roots, java=False))
    assert store
    assert store.java is None
    certificate, _ = certificate_and_file(tmp_path / "certs")
    assert len(uninstall_plan(store, [store.anchor(certificate)]).commands) == 2


def test_the_real_machine_gets_no_options() -> None:
    if not machines.UPDATE_CA_CERTIFICATES.exists():
        pytest.skip("needs Debian's update-ca-certificates")
    store = find_store()
    assert store
    assert store.update == ("/usr/sbin/update-ca-certificates",)
    assert store.bundle == Path("/etc/ssl/certs/ca-certificates.crt")


def test_an_unknown_kind_of_machine_has_no_store(tmp_path: Path) -> None:
    assert find_store(tmp_path) is None
    (tmp_path / "etc/pki/ca-trust/source/anchors").mkdir(parents=True)
    assert find_store(tmp_path) is None


def test_a_command_that_fails_ends_the_plan(tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    plan = Plan((("sh", "-c", "exit 3"), ("touch", str(marker))))
    with pytest.raises(CertsError, match="failed with exit code 3: sh -c 'exit 3'"):
        plan.run()
    assert not marker.exists()


def test_a_command_that_is_missing_is_said() -> None:
    with pytest.raises(CertsError, match="cannot run /no/such/tool: No such file"):
        Plan((("/no/such/tool",),)).run()


def test_others_than_root_use_sudo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sudo = tmp_path / "sudo"
    sudo.write_text('#!/bin/sh\necho "$@" > "$(dirname "$0")/asked"\n')
    sudo.chmod(0o755)
    monkeypatch.setattr(trust_store.os, "geteuid", lambda: 1000)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    plan = Plan((("rm", "-f", "/a b"),))
    assert plan.as_typed() == [f"{sudo} rm -f '/a b'"]
    plan.run()
    assert (tmp_path / "asked").read_text() == "rm -f /a b\n"


def test_without_sudo_it_says_who_can(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trust_store.os, "geteuid", lambda: 1000)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(CertsError, match="run this as root"):
        Plan((("true",),)).as_typed()
