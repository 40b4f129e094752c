"""What of a binding's certificates and keys reaches a gateway."""

from dataclasses import replace

import pytest

from integration_operator.cli.preview.certificates import made
from integration_operator.core.binding import Binding
from integration_operator.kinds.api_route.trust import trusted

ONE, OTHER = made("one"), made("other")
BINDING = Binding("http", "x", "a.example.com", "443", "https://a.example.com")
FALSE = ONE.certificate[:40] + "AAAA" + ONE.certificate[44:]


def test_only_certificates_are_given_on() -> None:
    text = f"password: 5ecret\n{ONE.certificate}\n  and a comment\n{OTHER.certificate}\n"
    binding, problem = trusted(replace(BINDING, ca_crt=text))
    assert (binding.ca_crt, problem) == (f"{ONE.certificate}\n{OTHER.certificate}", "")


def test_a_pair_is_given_on() -> None:
    binding = replace(BINDING, tls_crt=f"x\n{ONE.certificate}", tls_key=f"x\n{ONE.key}\n")
    found, problem = trusted(binding)
    assert problem == ""
    assert (found.tls_crt, (found.tls_key or "").strip()) == (ONE.certificate, ONE.key)


@pytest.mark.parametrize(
    ("entries", "named"),
    [
        ({"ca_crt": "garbage"}, "ca.crt"),
        ({"ca_crt": ""}, "ca.crt"),
        ({"ca_crt": ONE.key}, "ca.crt"),
        ({"ca_crt": f"{ONE.certificate}\n{ONE.key}"}, "ca.crt"),
        ({"ca_crt": FALSE}, "ca.crt"),
        ({"tls_crt": ONE.certificate}, "key"),
        ({"tls_key": ONE.key}, "tls.crt"),
        ({"tls_crt": ONE.certificate, "tls_key": OTHER.key}, "key"),
        ({"tls_crt": ONE.key, "tls_key": ONE.key}, "tls.crt"),
        ({"tls_crt": ONE.certificate, "tls_key": ONE.certificate}, "key"),
    ],
)
def test_what_is_of_no_use_is_said_and_not_given_on(entries: dict[str, str], named: str) -> None:
    found, problem = trusted(replace(BINDING, **entries))
    assert named in problem
    assert found == BINDING
    assert not any(value and value in problem for value in entries.values())
