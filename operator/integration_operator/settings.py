"""The installation's settings: environment variables in, frozen values out. The chart sets them."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from socket import gethostname
from typing import Self

from integration_operator.core.addresses import AddressRules
from integration_operator.core.ports import Environment

PREFIX = "INTEGRATION_OPERATOR_"


@dataclass(frozen=True)
class Settings:
    """Every setting, with the default that a bare process has."""

    environment: Environment = field(default_factory=Environment)
    addresses: AddressRules = field(default_factory=AddressRules)
    deny_cluster: bool = False
    """True: the cluster's own networks are denied too, as far as they can be read."""
    watch_namespaces: tuple[str, ...] = ()
    """Empty: the whole cluster."""
    watch_secrets: bool = True
    """False: Secrets are not listed or watched, but read again once a minute."""
    local_certificate: str = ""
    """Secret in the operator's namespace with a certificate for its own Gateway, to be kept; empty: none is."""
    local_certificate_names: tuple[str, ...] = ()
    identity: str = ""
    """This replica's name in the Lease."""
    host: str = "0.0.0.0"  # noqa: S104 - the kubelet and Prometheus come from outside the pod
    port: int = 8080
    """Health and metrics."""
    workers: int = 16
    """Reconciles at once."""
    log_level: str = "INFO"
    lease_seconds: int = 10
    """How long a replica that fell silent is still taken for the leader."""
    renew_seconds: int = 7
    """How long after its last renewal a leader may begin a write: shorter than the lease."""
    retry_seconds: int = 2
    """How often the lease is renewed, or stood for."""

    @classmethod
    def load(cls, environ: Mapping[str, str] = os.environ) -> Self:
        """Settings from INTEGRATION_OPERATOR_*; ValueError says which variable is wrong, and how."""

        def get(name: str, default: str = "") -> str:
            return environ.get(PREFIX + name, default).strip()

        def several(name: str) -> tuple[str, ...]:
            return tuple(part.strip() for part in get(name).split(",") if part.strip())

        try:
            addresses = AddressRules.of(several("OUTBOUND_DENY"), several("OUTBOUND_ALLOW"))
        except ValueError as error:
            raise ValueError(f"{PREFIX}OUTBOUND_DENY and _ALLOW take networks as 10.0.0.0/8: {error}") from None
        port = get("PORT", "8080")
        if not port.isdecimal() or int(port) > 65535:
            raise ValueError(f"{PREFIX}PORT takes a port number, not {port!r}")
        lease, renew, retry = (_seconds(get, f"{name}_SECONDS") for name in ("LEASE", "RENEW", "RETRY"))
        if not lease > renew > 1.2 * retry:
            raise ValueError(f"{PREFIX}LEASE_SECONDS > RENEW_SECONDS > 1.2 × RETRY_SECONDS must hold")
        if get("LOCAL_CERTIFICATE") and not several("LOCAL_CERTIFICATE_NAMES"):
            raise ValueError(f"{PREFIX}LOCAL_CERTIFICATE needs {PREFIX}LOCAL_CERTIFICATE_NAMES")
        own = Environment()
        return cls(
            environment=Environment(
                namespace=get("NAMESPACE", own.namespace),
                gateway=get("GATEWAY", own.gateway),
                gateway_controller=get("GATEWAY_CONTROLLER", own.gateway_controller),
                gateway_controller_namespace=get("GATEWAY_CONTROLLER_NAMESPACE", own.gateway_controller_namespace),
                wildcard_hostnames=get("WILDCARD_HOSTNAMES", "false").lower() == "true",
            ),
            addresses=addresses,
            deny_cluster=get("OUTBOUND_DENY_CLUSTER", "false").lower() == "true",
            watch_namespaces=several("WATCH_NAMESPACES"),
            watch_secrets=get("SECRETS_WATCH", "true").lower() != "false",
            local_certificate=get("LOCAL_CERTIFICATE"),
            local_certificate_names=several("LOCAL_CERTIFICATE_NAMES"),
            identity=get("IDENTITY") or f"{gethostname()}-{os.getpid()}",
            port=int(port),
            log_level=get("LOG_LEVEL", "INFO").upper(),
            lease_seconds=lease,
            renew_seconds=renew,
            retry_seconds=retry,
        )


def _seconds(get: Callable[[str], str], name: str) -> int:
    default = getattr(Settings, name.lower())
    value = get(name) or str(default)
    if not value.isdecimal() or not 1 <= int(value) <= 3600:
        raise ValueError(f"{PREFIX}{name} takes whole seconds from 1 to 3600, not {value!r}")
    return int(value)
