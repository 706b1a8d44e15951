"""Codes by time: the test vectors of RFC 6238 (appendix B) and RFC 4226 (appendix D), and what a clock may be off."""

from __future__ import annotations

import base64

import pytest

from grimbots.services import totp

SECRET = base64.b32encode(b"12345678901234567890").decode()


@pytest.mark.parametrize(
    ("at_seconds", "code"),
    [
        (59, "94287082"),
        (1111111109, "07081804"),
        (1111111111, "14050471"),
        (1234567890, "89005924"),
        (2000000000, "69279037"),
        (20000000000, "65353130"),
    ],
)
def test_vectors_of_rfc_6238(at_seconds: int, code: str) -> None:
    assert totp.make_code(SECRET, at_seconds // totp.STEP_SECONDS, digits=8) == code


def test_vectors_of_rfc_4226() -> None:
    codes = ["755224", "287082", "359152", "969429", "338314", "254676", "287922", "162583", "399871", "520489"]
    assert [totp.make_code(SECRET, count) for count in range(10)] == codes


@pytest.mark.parametrize(("steps_off", "is_found"), [(-2, False), (-1, True), (0, True), (1, True), (2, False)])
def test_code_of_a_clock_that_is_off_by_a_step_is_found(steps_off: int, is_found: bool) -> None:
    code = totp.make_code(SECRET, 41152263 + steps_off)
    assert totp.find_step(SECRET, code, 1234567890) == (41152263 + steps_off if is_found else None)


@pytest.mark.parametrize("code", ["", "12345", "００５９２４", "abcdef", "89005924"])
def test_what_is_no_code_is_not_found(code: str) -> None:
    assert totp.find_step(SECRET, code, 1234567890) is None


def test_uri_is_what_apps_read() -> None:
    assert totp.write_uri("ABC", "ana+x@example.com", "Grim Bots") == (
        "otpauth://totp/Grim%20Bots:ana%2Bx@example.com?secret=ABC&issuer=Grim%20Bots"
    )


def test_secrets_are_as_long_as_the_hash() -> None:
    one, other = totp.make_secret(), totp.make_secret()
    assert len(base64.b32decode(one)) == 20
    assert one != other
