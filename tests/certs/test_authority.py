from __future__ import annotations

import datetime

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from certs import authority
from certs.errors import CertsError

NOW = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)


def _names(names: list[x509.GeneralName] | None) -> list[str]:
    return [str(name.value) for name in names or ()]


def test_constraints_permit_what_is_in_scope_and_nothing_else() -> None:
    limits = authority.constraints(["b.example", "a.example", "b.example"], ["::1", "127.0.0.1"])
    permitted = ["a.example", "b.example", "127.0.0.1/32", "::1/128"]
    assert _names(limits.permitted_subtrees) == permitted
    assert limits.excluded_subtrees is None
    assert authority.permitted_names(limits) == ["a.example", "b.example", "127.0.0.1", "::1"]


@pytest.mark.parametrize(
    ("addresses", "excluded"),
    [([], ["0.0.0.0/0", "::/0"]), (["127.0.0.1"], ["::/0"]), (["::1"], ["0.0.0.0/0"])],
)
def test_an_address_family_that_is_not_in_scope_is_excluded(
    addresses: list[str], excluded: list[str]
) -> None:
    assert _names(authority.constraints(["a.example"], addresses).excluded_subtrees) == excluded


def test_all_of_dns_leaves_names_unlimited_and_addresses_limited() -> None:
    limits = authority.constraints(["", "a.example"], ["127.0.0.1"])
    assert _names(limits.permitted_subtrees) == ["127.0.0.1/32"]
    assert not authority.limits_dns(limits)


def test_international_names_are_written_as_certificates_have_them() -> None:
    limits = authority.constraints(["Bücher.example"], [])
    assert _names(limits.permitted_subtrees) == ["xn--bcher-kva.example"]


@pytest.mark.parametrize("name", ["*.example", ".example", "a example", "a..b", "x" * 64 + ".example", "a:1"])
def test_what_is_no_dns_name_is_said(name: str) -> None:
    with pytest.raises(CertsError, match="is no DNS name"):
        authority.constraints([name], [])


def test_what_is_no_address_is_said() -> None:
    with pytest.raises(CertsError, match=r"'10\.0\.0' is no IP address"):
        authority.constraints(["a.example"], ["10.0.0"])


def test_an_empty_scope_never_gives_an_unlimited_ca() -> None:
    with pytest.raises(CertsError, match="no host is in scope"):
        authority.constraints([], ["127.0.0.1"])


@pytest.mark.parametrize(
    ("name", "permitted"),
    [
        ("a.example", True),
        ("b.a.example", True),
        ("xa.example", False),
        ("example", False),
        ("127.0.0.1", True),
        ("127.0.0.2", False),
        ("::1", False),
    ],
)
def test_permits(name: str, permitted: bool) -> None:
    assert authority.permits(authority.constraints(["a.example"], ["127.0.0.1"]), name) is permitted


def test_issued_certificate_can_sign_servers_and_nothing_else() -> None:
    key = authority.new_key()
    limits = authority.constraints(["a.example"], [])
    certificate = authority.issue(key, authority.new_subject(key), limits, NOW)
    found = {extension.oid: extension for extension in certificate.extensions}

    basic = found[x509.BasicConstraints.oid]
    assert basic.critical
    assert basic.value == x509.BasicConstraints(ca=True, path_length=0)
    assert found[x509.KeyUsage.oid].critical
    assert found[x509.KeyUsage.oid].value.key_cert_sign
    assert not found[x509.KeyUsage.oid].value.digital_signature
    assert list(found[x509.ExtendedKeyUsage.oid].value) == [ExtendedKeyUsageOID.SERVER_AUTH]
    subject_id = found[x509.SubjectKeyIdentifier.oid].value.digest
    assert found[x509.AuthorityKeyIdentifier.oid].value.key_identifier == subject_id
    assert found[x509.NameConstraints.oid].critical
    assert authority.constraints_of(certificate) == limits
    assert authority.made_by_us(certificate)
    certificate.verify_directly_issued_by(certificate)


def test_each_issue_has_a_serial_number_of_its_own() -> None:
    key = authority.new_key()
    subject = authority.new_subject(key)
    first, second = (authority.issue(key, subject, None, NOW) for _ in range(2))
    assert first.serial_number != second.serial_number
    assert authority.key_id(first) == authority.key_id(second) == authority.key_id(key.public_key())


def test_two_installations_have_different_names() -> None:
    assert authority.new_subject(authority.new_key()) != authority.new_subject(authority.new_key())
