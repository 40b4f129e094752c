from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509

from integration_operator.engine.certificates import (
    AUTHORITY_LIFE,
    LIFE,
    Pair,
    authority,
    good,
    good_authority,
    signed,
)

NOW = datetime(2027, 1, 1, tzinfo=UTC)
NAMES = ("*.example.com", "example.com")


def test_a_certificate_is_good_until_a_third_of_its_life_is_left() -> None:
    by = authority(NOW)
    made = signed(by, NAMES, NOW)
    assert good(made, by, NAMES, NOW)
    assert good(made, by, NAMES, NOW + LIFE * 0.66)
    assert not good(made, by, NAMES, NOW + LIFE * 0.67)


def test_a_certificate_is_good_for_just_its_names_in_any_order() -> None:
    by = authority(NOW)
    made = signed(by, NAMES, NOW)
    assert good(made, by, NAMES[::-1], NOW)
    assert not good(made, by, (*NAMES, "api.example.org"), NOW)
    assert not good(made, by, NAMES[:1], NOW)


def test_a_certificate_of_another_authority_is_not_good() -> None:
    assert not good(signed(authority(NOW), NAMES, NOW), authority(NOW), NAMES, NOW)


def test_an_authority_outlives_what_it_signs() -> None:
    by = authority(NOW)
    assert good_authority(by, NOW + AUTHORITY_LIFE - LIFE - timedelta(days=1))
    assert not good_authority(by, NOW + AUTHORITY_LIFE - LIFE)
    assert not good_authority(None, NOW)


def test_a_pair_survives_its_secret() -> None:
    by = authority(NOW)
    again = Pair.parse(by.data())
    assert again is not None
    assert good(signed(again, NAMES, NOW), by, NAMES, NOW)


@pytest.mark.parametrize(
    "broken", [{}, {"tls.crt": b"x", "tls.key": b"y"}, {"tls.key": authority(NOW).data()["tls.key"]}]
)
def test_what_is_no_pair_is_none(broken: dict[str, bytes]) -> None:
    assert Pair.parse({**authority(NOW).data(), **broken} if broken else {}) is None


def test_a_server_can_use_it() -> None:
    """What TLS clients insist on: a chain that verifies, for the name."""
    by = authority(datetime.now(UTC))
    made = signed(by, NAMES, datetime.now(UTC))
    verifier = x509.verification.PolicyBuilder().store(x509.verification.Store([by.certificate]))
    chain = verifier.build_server_verifier(x509.DNSName("api.example.com")).verify(made.certificate, [])
    assert chain == [made.certificate, by.certificate]
