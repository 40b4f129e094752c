"""Certificates of the operator's own Gateway: are they good for long, and for the host names of the routes?"""

from base64 import b64decode
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509

from integration_operator.cli.examine.finding import Finding, Patient, examination, ok, problem, warning
from integration_operator.cli.examine.gateway import GATEWAY_API
from integration_operator.cli.listing import listed
from integration_operator.core.model import API_VERSION

SOON = timedelta(days=14)
"""How long before its end a certificate is worth a warning."""
RENEW = "renew it: see gateway.tls in the chart's values"
EXTEND = "add the names to the certificate (gateway.tls in the chart's values), or callers will not trust it"


@examination("certificates")
async def certificates(patient: Patient) -> list[Finding]:
    """Nothing where there is no Gateway: another examination says so."""
    environment = patient.environment
    gateway = await patient.cluster.get(GATEWAY_API, "Gateway", environment.namespace, environment.gateway)
    findings: list[Finding] = []
    names: set[str] = set()
    for place, name, listener in _references(gateway or {}, environment.namespace):
        title = f"certificates: Secret {place}/{name} of listener {listener}"
        secret = await patient.cluster.get("v1", "Secret", place, name)
        if secret is None:
            findings.append(problem(f"{title} is missing", "create it with tls.crt and tls.key, or see what should"))
            continue
        try:
            found = x509.load_pem_x509_certificate(b64decode((secret.get("data") or {}).get("tls.crt", "")))
        except ValueError:
            findings.append(problem(f"{title} has no certificate in tls.crt", RENEW))
            continue
        names |= _names(found)
        findings += _lasting(found, title)
    if names:
        findings += await _uncovered(patient, names)
    if gateway and names and not findings:
        findings.append(ok("certificates: last, and cover the host names of every ApiRoute"))
    return findings


def _references(gateway: Mapping[str, Any], own: str) -> Iterator[tuple[str, str, str]]:
    """(namespace, name, listener) of every certificate."""
    for listener in (gateway.get("spec") or {}).get("listeners") or ():
        for ref in (listener.get("tls") or {}).get("certificateRefs") or ():
            yield ref.get("namespace", own), ref["name"], listener["name"]


def _names(certificate: x509.Certificate) -> set[str]:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return set()
    return set(names.get_values_for_type(x509.DNSName))


def _lasting(certificate: x509.Certificate, title: str) -> list[Finding]:
    ends = certificate.not_valid_after_utc
    left = ends - datetime.now(UTC)
    if left <= timedelta(0):
        return [problem(f"{title} ended at {ends:%Y-%m-%dT%H:%M:%SZ}", RENEW)]
    return [warning(f"{title} ends in {left.days} days", RENEW)] if left < SOON else []


async def _uncovered(patient: Patient, names: set[str]) -> list[Finding]:
    """ApiRoutes on this Gateway with host names that no certificate names."""
    environment = patient.environment
    found = []
    for route in await listed(patient.cluster, API_VERSION, "ApiRoute"):
        meta, ref = route["metadata"], route["spec"].get("gatewayRef")
        place = (ref.get("namespace", meta["namespace"]), ref["name"]) if ref else None
        if place not in (None, (environment.namespace, environment.gateway)):
            continue
        hosts = [host for host in route["spec"].get("hostnames") or () if not covered(host, names)]
        if hosts:
            title = f"certificates: none names {', '.join(hosts)} of ApiRoute {meta['namespace']}/{meta['name']}"
            found.append(warning(title, EXTEND))
    return found


def covered(host: str, names: Iterable[str]) -> bool:
    """Whether a certificate with these names is good for a host (RFC 9525: a wildcard stands for one label)."""
    return any(
        host == name or (name.startswith("*.") and not host.startswith("*") and host.partition(".")[2] == name[2:])
        for name in names
    )
