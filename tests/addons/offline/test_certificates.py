"""The ephemeral CA."""

from __future__ import annotations

import ssl

from cryptography import x509

from addons.offline.certificates import EphemeralCA


def test_the_ca_is_one_and_leaves_no_key_behind(tmp_path):
    authority = EphemeralCA(tmp_path, ["llm.example.com"])
    assert [path.name for path in tmp_path.iterdir()] == ["ca.pem"]
    assert b"PRIVATE" not in authority.ca_file.read_bytes()
    certificate = x509.load_pem_x509_certificate(authority.ca_file.read_bytes())
    assert certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    ssl.create_default_context(cafile=str(authority.ca_file))


def test_contexts_are_made_once_for_a_name(tmp_path):
    authority = EphemeralCA(tmp_path)

    class Connection:
        context: ssl.SSLContext | None = None

    chosen = []
    for name in ("api.openai.com", "api.openai.com", "api.anthropic.com", None, "localhost"):
        connection = Connection()
        authority.context.sni_callback(connection, name, authority.context)
        chosen.append(connection.context)
    assert chosen[0] is chosen[1] is not chosen[2]
    assert chosen[3] is None and chosen[4] is None  # the certificate for loopback stays
