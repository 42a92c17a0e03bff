from __future__ import annotations

import pytest

from intelligence.detect.engine import Text
from intelligence.detect.secrets import secrets

FOUND = {
    "github_token": "ghp_" + "hwgGtGjbBLNBN2Es78xBneOuONB7fe2FtK4j",
    "aws_access_key": "AKIA" + "K4P5WJM6GG3DAVL3",
    "anthropic_key": "sk-ant-api03-" + "Cu_DC6ue1035wgmXj8G9TeLD1-aSYswAH_JZIIL2eYZkUTFz",
    "stripe_key": "sk_live_" + "NYwJ5AHCEsDCB1SyjIRoEzTj",
    "telegram_bot_token": "3758329354" + ":AA4HtE_B90ZWwJEJFnafwQlJTNW0W95_Z7t",
    "mailchimp_key": "3012a5754bbd716926f99c028f7ea428" + "-us18",
    "sourcegraph_token": "sgp_" + "local_d7dfFD43cF2503B1da673EB560aAa3e80f16FA42",
}


@pytest.mark.parametrize(("type", "value"), FOUND.items())
def test_keys_of_providers(type: str, value: str) -> None:
    text = f'é key = "{value}"\n'
    (found,) = secrets(Text(text))
    assert (found.type, text[found.start : found.end]) == (type, value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("postgres://root:DdrCHRbBjeUo@db:5432/main", "DdrCHRbBjeUo"),
        ('export DB_PASSWORD="Zx9!fRRZw#7"', "Zx9!fRRZw#7"),
        (
            "- name: API_SECRET\n  value: ZGvbzOgmFuUVDcYxn6Sun27r3vAuDofXbYVfsoog",
            "ZGvbzOgmFuUVDcYxn6Sun27r3vAuDofXbYVfsoog",
        ),
        ("curl -u kevin:pRf7vG2h1L8nQkW9 https://x.io", "kevin:pRf7vG2h1L8nQkW9"),
    ],
)
def test_secrets_by_where_they_stand(text: str, value: str) -> None:
    assert value in [text[d.start : d.end] for d in secrets(Text(text))]


@pytest.mark.parametrize(
    "text",
    [
        "commit dafdef1f4f89b84d692481d95793837421fcd301",
        "request_id=58e8d7b9-2d0f-4c56-9a5d-0c7e1f3f1f11",
        '"integrity": "sha512-6f4a63de5d6a90099c5a93d516ba06ac6f4a63de5d6a90099c5a93d516ba06ac=="',
        "AKIAIOSFODNN7EXAMPLE",
        'token = os.environ["GITHUB_TOKEN"]',
        "password=${DB_PASSWORD}",
        'api_key = "your-api-key-here-12345"',
        "max_tokens: 4096, next_page_token: 'abcDEF1234567890abcDEF'",
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ7bP29W0c6kq1hQ8mZr5yT3uV4wX dev@host",
        "https://user:password@example.com/",
    ],
)
def test_what_only_looks_like_one(text: str) -> None:
    assert secrets(Text(text)) == []


def test_a_private_key_is_reported_to_its_end() -> None:
    key = (
        "-----BEGIN EC PRIVATE KEY-----\n"
        + "xlA5d8AGu0fpkhDm1rpu0PdVJaiSYpVRMyX9Ea1VormcVqAQtQbvjeeAsJNdr8oM\n" * 20
    )
    key += "-----END EC PRIVATE KEY-----"
    (found,) = secrets(Text(f"a {key} b"))
    assert (found.start, found.end) == (2, 2 + len(key))
