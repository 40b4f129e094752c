"""Who has a place: the same, in whatever order routes came to be known."""

from datetime import UTC, datetime, timedelta
from typing import Any

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from integration_operator.core.model import API_VERSION
from integration_operator.kinds.api_route import KIND
from tests.unit.kinds.api_route.test_golden import outcomes
from tests.unit.kinds.golden import decide, load

START = datetime(2026, 11, 24, tzinfo=UTC)
WORLD = load(__file__, "first")["cluster"]
NAMESPACES = ("shop", "partner", "elsewhere")
"""The Gateway admits the first two."""


@st.composite
def routes(draw: st.DrawFn) -> list[dict[str, Any]]:
    count = draw(st.integers(1, 5))
    return [
        {
            "apiVersion": API_VERSION,
            "kind": "ApiRoute",
            "metadata": {
                "name": f"r{i}",
                "namespace": draw(st.sampled_from(NAMESPACES)),
                "creationTimestamp": START + timedelta(seconds=draw(st.integers(0, 2))),
            },
            "spec": {
                "hostnames": draw(st.lists(st.sampled_from(HOSTS), min_size=1, max_size=2, unique=True)),
                "basePath": draw(st.sampled_from(["/", "/a", "/a/b"])),
                "auth": {"anonymous": True},
                "allowedNamespaces": {"from": draw(st.sampled_from(["Same", "All"]))},
                "versions": [{"name": "v1", "lifecycle": "Retired", "match": draw(st.sampled_from(MATCHES))}],
            },
        }
        for i in range(count)
    ]


HOSTS = ["a.example.com", "b.example.com", "*.example.com"]
MATCHES: list[dict[str, Any]] = [{"path": "/"}, {"path": "/a"}, {"header": {"name": "V", "value": "1"}}]


def age(route: dict[str, Any]) -> Any:
    meta = route["metadata"]
    return meta["creationTimestamp"], meta["namespace"], meta["name"]


async def accepted(all_: list[dict[str, Any]], route: dict[str, Any], wildcards: bool) -> bool:
    others = [r for r in all_ if r is not route]
    case = {
        "now": START,
        "resource": yaml.safe_load(yaml.safe_dump(route)),
        "cluster": [*WORLD, *others],
        "environment": {"wildcard_hostnames": wildcards},
    }
    plan = await decide(KIND, case, outcomes)
    found = {c.type: c for c in plan.conditions}["Accepted"]
    assert found.status or found.reason in ("Conflicted", "NotAllowedByListener", "HostnameNotAllowed")
    return bool(found.status)


def places(route: dict[str, Any]) -> set[tuple[str, str]]:
    model = KIND.model.model_validate(route)
    version = model.spec.versions[0]
    return {(host, f"{model.path_of(version)}|{version.match}") for host in model.spec.hostnames}


@settings(max_examples=150, deadline=None)
@given(routes(), st.booleans())
async def test_no_two_accepted_routes_share_a_place_and_nobody_is_disturbed_by_a_newer(
    all_: list[dict[str, Any]], wildcards: bool
) -> None:
    good = [route for route in all_ if await accepted(all_, route, wildcards)]
    for i, one in enumerate(good):
        for other in good[i + 1 :]:
            assert places(one).isdisjoint(places(other))
    for route in all_:
        older = [r for r in all_ if age(r) <= age(route)]
        assert (route in good) == await accepted(older, route, wildcards), "a newer one made a difference"
    admitted = [r for r in all_ if r["metadata"]["namespace"] != "elsewhere"]
    admitted = [r for r in admitted if wildcards or "*.example.com" not in r["spec"]["hostnames"]]
    if admitted:
        assert min(admitted, key=age) in good, "the oldest is never in conflict"
