"""All decisions about an ApiRoute."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from integration_operator.core.plan import Check, Condition, Outcome, Plan, with_ready
from integration_operator.drivers import gateway as neutral
from integration_operator.drivers.gateway import GatewayDriver, Rendered
from integration_operator.kinds.api_route.gateways import Gateway
from integration_operator.kinds.api_route.look import World
from integration_operator.kinds.api_route.model import ApiRoute, current
from integration_operator.kinds.api_route.probing import check
from integration_operator.kinds.api_route.reasons import Reason
from integration_operator.kinds.api_route.resolving import Problem, forbidden, held_versions, problems_of
from integration_operator.kinds.api_route.serving import Held, serving


def plan(route: ApiRoute, world: World, now: datetime) -> Plan:
    """First blocker wins; a blocked route, or version, keeps serving what it serves now, unless it must not."""
    requeue_at = min((v.sunset_at for v in route.spec.versions if v.sunset_at and v.sunset_at > now), default=None)
    driver = world.gateway.driver
    blocker = _misplaced(route, world.gateway)
    if blocker or driver is None:
        assert blocker is not None
        return _blocked(route, world, now, requeue_at, blocker)
    problems = problems_of(route, world, now)
    held = held_versions(route, world, driver, problems)
    served = serving(route, world, now, held)
    wanted = serving(route, world, now) if held else served
    if blocker := _refused(driver, wanted, served, world):
        return _blocked(route, world, now, requeue_at, blocker)
    accepted, resolved = Condition("Accepted", True, Reason.ACCEPTED), _resolved(problems, held)
    if not served.versions:
        conditions = with_ready([accepted, resolved], Reason.DRAFT, "no version is published")
        return Plan(conditions, status=_status(route, now, []), requeue_at=requeue_at)
    rendered = driver.render(served)
    programmed = _programmed(driver, rendered, world)
    asked = check(route, world, served, rendered.marks) if programmed.status else None
    return Plan(
        with_ready([accepted, resolved, programmed, _reachable(world, programmed, asked)], Reason.SERVING),
        children=rendered.objects,
        kept=rendered.kept,
        checks=(asked,) if asked else (),
        status=_status(route, now, _endpoints(route, served, programmed)),
        requeue_at=requeue_at,
    )


def _blocked(route: ApiRoute, world: World, now: datetime, requeue_at: datetime | None, blocker: Condition) -> Plan:
    """Keep what is served now, unless it takes another's place or uses a connection that it may not use."""
    if _must_stop(world):
        return Plan(with_ready([blocker]), status=_status(route, now, []), requeue_at=requeue_at)
    kept = route.status.get("endpoints") or []
    return Plan.hold(blocker, status=_status(route, now, kept), requeue_at=requeue_at)


def _must_stop(world: World) -> bool:
    driver = world.gateway.driver
    if driver is None or not world.live:
        return False
    taken = {(c.host, c.match) for c in world.conflicts}
    return bool(taken & driver.places(world.live)) or forbidden(world, driver.connections(world.live))


def _unaccepted(reason: Reason, message: str) -> Condition:
    return Condition("Accepted", False, reason, message)


def _misplaced(route: ApiRoute, gateway: Gateway) -> Condition | None:
    """What is wrong with the Gateway that the route names."""
    if not gateway.exists:
        which = f"Gateway {gateway.namespace}/{gateway.name}"
        return _unaccepted(Reason.GATEWAY_NOT_FOUND, f"{which} does not exist: create it, or correct gatewayRef")
    if gateway.driver is None:
        return _unaccepted(Reason.NO_DRIVER, f"no driver for Gateways of controller {gateway.controller or 'unknown'}")
    if unserved := gateway.unserved(route.spec.hostnames):
        return _unaccepted(
            Reason.NOT_ADMITTED,
            f"no HTTPS listener of Gateway {gateway.namespace}/{gateway.name} takes routes of this namespace"
            f" for {', '.join(unserved)}: see its hostname and allowedRoutes",
        )
    if unallowed := gateway.unallowed(route.spec.hostnames):
        return _unaccepted(
            Reason.HOSTNAME,
            f"{', '.join(unallowed)}: a wildcard takes all host names below it. Name each host,"
            " or let the platform team add a listener with this very hostname, or set apiRoutes.allowWildcardHostnames",
        )
    return None


def _refused(driver: GatewayDriver, wanted: neutral.Route, served: neutral.Route, world: World) -> Condition | None:
    """What the gateway can't do, or another has already; values are judged only where they are known."""
    if lacking := sorted(wanted.needs() - driver.features):
        return _unaccepted(Reason.UNSUPPORTED, f"the gateway lacks: {', '.join(lacking)}")
    if refusals := driver.refusals(served):
        return _unaccepted(Reason.UNSUPPORTED, "; ".join(refusals))
    if world.conflicts:
        conflict = world.conflicts[0]
        place = conflict.prefix or f"{conflict.host}{conflict.match.path}"
        owner = f"{conflict.owner.namespace}/{conflict.owner.name}"
        return _unaccepted(Reason.CONFLICTED, f"{place} belongs to ApiRoute {owner}, which is older")
    return None


def _resolved(problems: Mapping[str, Problem], held: Held) -> Condition:
    if not problems:
        return Condition("ResolvedRefs", True, Reason.RESOLVED)
    messages = [
        f"version {name}: {message}; meanwhile it {'stays as it was' if held[name] else 'answers 503'}"
        for name, (_, message) in problems.items()
    ]
    return Condition("ResolvedRefs", False, next(iter(problems.values()))[0], ". ".join(messages))


def _programmed(driver: GatewayDriver, rendered: Rendered, world: World) -> Condition:
    verdict = driver.verdict(world.live, rendered)
    if verdict.accepted is None:
        return Condition("Programmed", None, Reason.PENDING, "waiting for the gateway to take this generation")
    if not verdict.accepted:
        return Condition("Programmed", False, Reason.REFUSED, verdict.message)
    return Condition("Programmed", True, Reason.PROGRAMMED)


def _reachable(world: World, programmed: Condition, asked: Check | None) -> Condition:
    if not programmed.status:
        return Condition("Reachable", None, Reason.PENDING, "probed once the gateway has taken it")
    if world.gateway.address is None:
        return Condition("Reachable", None, Reason.NO_ADDRESS, "the Gateway has no Service yet to probe it through")
    if asked is None:
        return Condition("Reachable", None, Reason.PENDING, "no version can be served, so there is nothing to probe")
    outcome: Outcome | None = world.probed
    if outcome is None or outcome.target != asked.target:
        return Condition("Reachable", None, Reason.PENDING, "being probed")
    return outcome.condition("Reachable")


def _endpoints(route: ApiRoute, served: neutral.Route, programmed: Condition) -> list[str]:
    """What is served; while the gateway has not spoken, what of it was served before."""
    paths = dict.fromkeys(v.match.path for v in served.versions if v.served)
    wanted = [f"https://{host}{path}" for host in route.spec.hostnames for path in paths]
    if programmed.status is None:
        before = route.status.get("endpoints") or ()
        return [endpoint for endpoint in wanted if endpoint in before]
    return wanted if programmed.status else []


def _status(route: ApiRoute, now: datetime, endpoints: list[str]) -> dict[str, Any]:
    lifecycles = [(v, current(v, now)) for v in route.spec.versions]
    live = [state for _, state in lifecycles if state in ("Published", "Deprecated")]
    newest = "Published" if "Published" in live else live[-1] if live else lifecycles[-1][1]
    return {
        "endpoints": endpoints,
        "versions": [{"name": v.name, "lifecycle": state} for v, state in lifecycles],
        "lifecycle": newest,
        "served": len(live),
        "auth": "anonymous",
    }
