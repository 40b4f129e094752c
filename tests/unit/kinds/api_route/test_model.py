"""The parts of an ApiRoute's model that are more than fields."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from integration_operator.core.crd import crd
from integration_operator.core.ports import Environment
from integration_operator.kinds.api_route.model import ApiRoute, claims, current
from integration_operator.registry import KINDS

NOW = datetime(2026, 11, 24, 8, tzinfo=UTC)


def route(name: str = "orders", **spec: Any) -> ApiRoute:
    backends = [{"serviceRef": {"name": "orders", "port": 8080}}]
    versions = [{"backends": backends, **v} for v in spec.pop("versions", [{"name": "v1"}])]
    base = {"hostnames": ["api.example.com"], "auth": {"anonymous": True}, "versions": versions}
    metadata = {"name": name, "namespace": "shop"}
    return ApiRoute.model_validate({"metadata": metadata, "spec": {**base, **spec}})


@pytest.mark.parametrize(
    ("base", "match", "path"),
    [
        ("/", None, "/v1"),
        ("/orders", None, "/orders/v1"),
        ("/orders", {"path": "/one"}, "/orders/one"),
        ("/orders", {"path": "/"}, "/orders"),
        ("/", {"path": "/"}, "/"),
        ("/orders", {"header": {"name": "Api-Version", "value": "1"}}, "/orders"),
        ("/", {"query": {"name": "version", "value": "1"}}, "/"),
    ],
)
def test_paths_of_versions(base: str, match: dict[str, Any] | None, path: str) -> None:
    one = route(basePath=base, versions=[{"name": "v1", "match": match}])
    assert one.path_of(one.spec.versions[0]) == path


@pytest.mark.parametrize(
    ("lifecycle", "until_sunset", "expected"),
    [
        ("Published", None, "Published"),
        ("Published", 1, "Published"),
        ("Published", 0, "Retired"),
        ("Deprecated", -1, "Retired"),
        ("Draft", -1, "Draft"),
        ("Retired", 1, "Retired"),
    ],
)
def test_a_sunset_retires_what_is_not_a_draft(lifecycle: str, until_sunset: int | None, expected: str) -> None:
    version: dict[str, Any] = {"name": "v1", "lifecycle": lifecycle}
    if lifecycle == "Deprecated":
        version["deprecatedAt"] = "2026-01-01T00:00:00Z"
    if until_sunset is not None:
        version["sunsetAt"] = (NOW + timedelta(seconds=until_sunset)).isoformat()
    assert current(route(versions=[version]).spec.versions[0], NOW) == expected


@pytest.mark.parametrize(
    "path", ["/..", "/a/../b", "/./a", "/a/.", "/a/..", "//a", "/a/", "a", "/a%2fb", "/a?b", "/a b"]
)
def test_paths_that_gateways_read_otherwise_are_refused(path: str) -> None:
    with pytest.raises(ValidationError, match="write an absolute path"):
        route(basePath=path)


@pytest.mark.parametrize("path", ["/.well-known", "/a.b", "/a..b", "/...a", "/~me", "/a;b=c"])
def test_dots_within_a_path_are_fine(path: str) -> None:
    assert route(basePath=path).spec.base_path == path


def test_a_name_that_no_label_can_carry_is_refused() -> None:
    assert route("x" * 63).name
    with pytest.raises(ValidationError, match="at most 63 characters"):
        route("x" * 64)


def test_drafts_claim_no_place() -> None:
    draft = route(versions=[{"name": "v1", "lifecycle": "Draft"}])
    assert list(claims(draft, Environment())) == ["prefix|integration-system/public|api.example.com|/"]


def test_header_names_are_claimed_without_case() -> None:
    one, other = (
        route(versions=[{"name": "v1", "match": {"header": {"name": name, "value": "1"}}}])
        for name in ("Api-Version", "api-version")
    )
    assert list(claims(one, Environment())) == list(claims(other, Environment()))


def names(schema: dict[str, Any]) -> Iterator[str]:
    for name, inner in (schema.get("properties") or {}).items():
        yield name
        yield from names(inner)
    yield from names(schema["items"]) if "items" in schema else ()


@pytest.mark.parametrize("kind", KINDS, ids=lambda k: k.name)
def test_no_field_has_a_name_that_yaml_reads_as_a_boolean(kind: Any) -> None:
    schema = crd(kind)["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    assert {"on", "off", "yes", "no", "y", "n", "true", "false"}.isdisjoint(n.lower() for n in names(schema))
