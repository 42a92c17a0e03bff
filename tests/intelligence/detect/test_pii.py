from __future__ import annotations

import pytest

from intelligence.detect.engine import Text
from intelligence.detect.pii import luhn, pii


@pytest.mark.parametrize(
    ("text", "type", "value"),
    [
        ("mail bob.smith@acme.io today", "email_address", "bob.smith@acme.io"),
        ("My card 4111 1111 1111 1111 expires", "credit_card", "4111 1111 1111 1111"),
        ("transfer from GB97LOWW46888763196059 to other bank", "iban_code", "GB97LOWW46888763196059"),
        ("Here's my SSN: 514-69-0360", "us_ssn", "514-69-0360"),
        ("How can we reach you? You can call 075 196 772", "phone_number", "075 196 772"),
        ("Fax: 345-899-3560x4587", "phone_number", "345-899-3560x4587"),
        ("+41 (0)85 806 98 67", "phone_number", "+41 (0)85 806 98 67"),
        ("She was born on 10/25/1990.", "date_of_birth", "10/25/1990"),
        ("meu CPF 111.444.777-35", "br_cpf", "111.444.777-35"),
        ("My driver's license number is F162823540116", "driver_license", "F162823540116"),
    ],
)
def test_personal_data(text: str, type: str, value: str) -> None:
    assert (type, value) in [(d.type, text[d.start : d.end]) for d in pii(Text(text))]


@pytest.mark.parametrize(
    "text",
    [
        "2024-05-02 11:32:09 build 20240502113209",
        "version 1.2.3.4 on 127.0.0.1",
        "git@github.com:flask/flask.git and icon@2x.png",
        "order 4111111111111112 shipped",
        "GB97LOWW46888763196058",
        "call simple_eval({'expression': '152399025'})",
        "0x1603030065 1.234567 1e-10 12345678",
    ],
)
def test_what_is_none(text: str) -> None:
    assert pii(Text(text)) == []


def test_luhn() -> None:
    assert luhn(b"4111111111111111")
    assert not luhn(b"4111111111111112")
