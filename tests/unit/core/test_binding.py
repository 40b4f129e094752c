"""What a binding must hold to be used."""

from base64 import b64decode

import pytest

from integration_operator.core.binding import Binding, Unusable, is_host

GOOD = Binding(
    type="http",
    provider="integration-operator",
    host="api.example.com",
    port="443",
    uri="https://api.example.com/v2/ä",
    header="Authorization",
    header_value="Bearer 5ecret",
    server_name="api.internal",
)


def entries(**changed: bytes | None) -> dict[str, bytes]:
    data = {k: b64decode(v) for k, v in GOOD.data().items()}
    return {k: v for k, v in {**data, **changed}.items() if v is not None}


def test_a_binding_is_what_its_secret_holds() -> None:
    assert Binding.parse(entries()) == GOOD


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("host", None),
        ("host", b""),
        ("host", b"a b"),
        ("host", b"API.example.com"),
        ("host", b"a..b"),
        ("host", b"-a.example.com"),
        ("host", b"a.example.com\n"),
        ("host", b"x" * 64 + b".example.com"),
        ("host", b"a." * 127 + b"b"),
        ("port", None),
        ("port", b"0"),
        ("port", b"65536"),
        ("port", b"-1"),
        ("port", b"443\n"),
        ("port", "٤٤٣".encode()),
        ("uri", None),
        ("uri", b"api.example.com"),
        ("uri", b"https://"),
        ("uri", b"https://api.example.com/\r\nHost: b"),
        ("header", b""),
        ("header", b"X Key"),
        ("header", b"X-Key:"),
        ("header", b"X-Key\r\nHost"),
        ("header", "X-Schlüssel".encode()),
        ("server-name", b"a/b"),
        ("token", b"\xff"),
    ],
)
def test_what_no_client_could_use_is_refused(key: str, value: bytes | None) -> None:
    with pytest.raises(Unusable, match="text" if key == "token" else key):
        Binding.parse(entries(**{key: value}))


@pytest.mark.parametrize("host", ["localhost", "a.example.com.", "192.0.2.1", "2001:db8::1", "::ffff:192.0.2.1"])
def test_names_and_addresses_are_hosts(host: str) -> None:
    assert is_host(host)
