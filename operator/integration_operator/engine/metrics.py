"""Prometheus metrics; names and labels are documented in docs/operations.md and stay stable."""

from prometheus_client import Counter, Gauge, Histogram

from integration_operator.core.ports import Key

_FAST = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)

reconciles = Counter("integration_reconciles", "Reconciles, by how they ended", ["kind", "result"])
reconcile_seconds = Histogram("integration_reconcile_seconds", "Time of a reconcile", ["kind"], buckets=_FAST)
queue_seconds = Histogram("integration_queue_seconds", "Time that a key waited", ["kind"], buckets=_FAST)
queue_depth = Gauge("integration_queue_depth", "Keys that wait")
api_writes = Counter("integration_api_writes", "Writes to the API server", ["verb", "kind"])
checks = Counter("integration_checks", "Probes of outside systems, by what they found", ["driver", "reason"])
checks_waiting = Gauge("integration_checks_waiting", "Probes that are due and wait for their turn")
check_seconds = Histogram("integration_check_seconds", "Time of a probe", ["driver"], buckets=_FAST)
objects = Gauge("integration_objects", "Objects, by the status of Ready", ["kind", "ready"])
unknown_networks = Gauge("integration_unknown_networks", "1 while own networks are not known", ["what"])
leading = Gauge("integration_leading", "1 while this replica leads")

_ready: dict[Key, str] = {}


def count(key: Key, ready: str) -> None:
    """Count the object under its present Ready."""
    if _ready.get(key) != ready:
        forget(key)
        _ready[key] = ready
        objects.labels(key.kind, ready).inc()


def forget_all() -> None:
    """Count no object: the replica that leads does."""
    for key in list(_ready):
        forget(key)


def forget(key: Key) -> None:
    """Count the object no more."""
    if before := _ready.pop(key, None):
        objects.labels(key.kind, before).dec()
