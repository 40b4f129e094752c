import pytest

from integration_operator.settings import Settings


def test_lease_times_come_from_the_environment() -> None:
    names = ("LEASE_SECONDS", "RENEW_SECONDS", "RETRY_SECONDS")
    environ = {f"INTEGRATION_OPERATOR_{n}": v for n, v in zip(names, ("5", "3", "1"), strict=True)}
    settings = Settings.load(environ)
    assert (settings.lease_seconds, settings.renew_seconds, settings.retry_seconds) == (5, 3, 1)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("LEASE_SECONDS", "7", "LEASE_SECONDS > RENEW_SECONDS"),
        ("RENEW_SECONDS", "2", "RENEW_SECONDS > 1.2"),
        ("RETRY_SECONDS", "0", "takes whole seconds from 1 to 3600, not '0'"),
        ("LEASE_SECONDS", "ten", "takes whole seconds from 1 to 3600, not 'ten'"),
        ("PORT", "99999", "takes a port number"),
        ("LOCAL_CERTIFICATE", "tls", "needs INTEGRATION_OPERATOR_LOCAL_CERTIFICATE_NAMES"),
        ("OUTBOUND_DENY", "10.0.0.0/33", "take networks as 10.0.0.0/8"),
    ],
)
def test_wrong_values_are_refused_by_name(name: str, value: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Settings.load({f"INTEGRATION_OPERATOR_{name}": value})
