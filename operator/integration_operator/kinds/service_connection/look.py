"""Everything that the decision about a ServiceConnection depends on."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from integration_operator.core.addresses import Resolution
from integration_operator.core.model import KeyRef
from integration_operator.core.plan import Manifest, Outcome
from integration_operator.core.ports import Claimant, Reader
from integration_operator.kinds.service_connection.model import ServiceConnection


@dataclass(frozen=True)
class World:
    """All that the decision may depend on. Secret texts stay out of the repr."""

    missing: str = ""
    """What is referred to and is not there, as a sentence; empty when all is."""
    values: Mapping[tuple[str, str], str] = field(default_factory=dict, repr=False)
    """Text of every (Secret, key) that credentials refer to."""
    ca: str | None = None
    certificate: str | None = None
    key: str | None = field(default=None, repr=False)
    resolution: Resolution = field(default_factory=Resolution)
    service: Manifest | None = None
    """The Service behind a host name of this cluster, whose pods egress policies must name."""
    binding: Mapping[str, bytes] | None = field(default=None, repr=False)
    """The binding Secret as it is, where it keeps a token over a restart."""
    live: tuple[Manifest, ...] = ()
    """The children as the cluster has them."""
    used_by: tuple[Claimant, ...] = ()
    probed: Outcome | None = None
    token: Outcome | None = field(default=None, repr=False)


class _Missing(Exception):
    pass


async def look(connection: ServiceConnection, reader: Reader) -> World:
    """Gather the world of a connection."""
    spec, namespace = connection.spec, connection.namespace
    missing, values, ca, certificate, key = "", {}, None, None, None
    try:
        values = {(r.name, r.key): await _value(reader, namespace, r) for r in references(connection)}
        if spec.tls and spec.tls.ca_ref:
            ref = spec.tls.ca_ref
            ca = await _entry(reader, namespace, ref.kind, ref.name, ref.key)
        if spec.tls and spec.tls.client_certificate_ref:
            name = spec.tls.client_certificate_ref.name
            certificate = await _entry(reader, namespace, "Secret", name, "tls.crt")
            key = await _entry(reader, namespace, "Secret", name, "tls.key")
    except _Missing as error:
        missing = str(error)
    return World(
        missing=missing,
        values=values,
        ca=ca,
        certificate=certificate,
        key=key,
        resolution=await reader.resolve(connection.host) if spec.consumers else Resolution(),
        service=await _service(connection, reader) if spec.consumers else None,
        binding=await reader.secret(connection.binding_name, namespace) if connection.oauth2 else None,
        live=await reader.children(),
        used_by=reader.claimants(f"ref:ServiceConnection/{namespace}/{connection.name}"),
        probed=reader.outcome("Reachable"),
        token=reader.outcome("Token"),
    )


def references(connection: ServiceConnection) -> list[KeyRef]:
    """Every entry of a Secret that the credentials refer to."""
    credentials = connection.spec.credentials
    if credentials is None:
        return []
    if credentials.basic:
        return [credentials.basic.username_ref, credentials.basic.password_ref]
    if credentials.bearer:
        return [credentials.bearer.token_ref]
    if credentials.api_key:
        return [credentials.api_key.value_ref]
    if credentials.nkey:
        return [credentials.nkey.seed_ref]
    oauth = credentials.oauth2_client_credentials
    return [oauth.client_id_ref, oauth.client_secret_ref] if oauth else []


async def _value(reader: Reader, namespace: str, ref: KeyRef) -> str:
    return await _entry(reader, namespace, "Secret", ref.name, ref.key)


async def _entry(reader: Reader, namespace: str, kind: str, name: str, key: str) -> str:
    """The text of one entry, without the line break that files end with."""
    data: Mapping[str, bytes] | Mapping[str, str] | None
    data = await (reader.secret(name, namespace) if kind == "Secret" else reader.config_map(name, namespace))
    if data is None:
        raise _Missing(f"{kind} {name} does not exist")
    entry = data.get(key, "")
    text = entry.decode(errors="replace") if isinstance(entry, bytes) else entry
    if not text.strip():
        raise _Missing(f"{kind} {name} has no key {key}, or it is empty")
    return text.rstrip("\r\n")


async def _service(connection: ServiceConnection, reader: Reader) -> Manifest | None:
    """The Service of a name as db.shop.svc or db.shop.svc.cluster.local, in this namespace: others gave no consent."""
    parts = connection.host.rstrip(".").split(".")
    if len(parts) >= 3 and parts[1:3] == [connection.namespace, "svc"]:
        return await reader.get("v1", "Service", parts[0], connection.namespace)
    return None
