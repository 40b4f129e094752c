"""Egress policies: whom they cut off from everything else."""

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from integration_operator.cli.examine.finding import Finding, Patient, examination, ok, warning
from integration_operator.cli.listing import listed
from integration_operator.core.model import MANAGER, LabelSelector
from integration_operator.engine.children import MANAGED_BY, OWNER_NAME

SHOWN = 5


@examination("egress policies")
async def cut_off(patient: Patient) -> list[Finding]:
    """Pods that only policies of ours let out: they reach their connections and DNS, and nothing else."""
    policies = await listed(patient.cluster, "networking.k8s.io/v1", "NetworkPolicy")
    out = [p for p in policies if "Egress" in (p["spec"].get("policyTypes") or ())]
    ours = [p for p in out if (p["metadata"].get("labels") or {}).get(MANAGED_BY) == MANAGER]
    found = []
    for namespace in sorted({p["metadata"]["namespace"] for p in ours}):
        pods = await listed(patient.cluster, "v1", "Pod", namespace, metadata_only=True)
        here = [p for p in out if p["metadata"]["namespace"] == namespace]
        found += _in_namespace(namespace, pods, here)
    return found or [ok("egress policies: no pod is cut off by those of ServiceConnections alone")]


def _in_namespace(namespace: str, pods: list[dict[str, Any]], policies: list[dict[str, Any]]) -> list[Finding]:
    cut: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for pod in pods:
        over = [p["metadata"].get("labels") or {} for p in policies if _selects(p, pod)]
        if over and all(labels.get(MANAGED_BY) == MANAGER for labels in over):
            cut[tuple(sorted({labels[OWNER_NAME] for labels in over}))].append(pod["metadata"]["name"])
    return [
        warning(
            f"egress policies: in {namespace}, {_some(names)} may reach only {', '.join(connections)} and DNS",
            "list them as consumers of what else they need, or allow it by a NetworkPolicy",
        )
        for connections, names in sorted(cut.items())
    ]


def _selects(policy: Mapping[str, Any], pod: Mapping[str, Any]) -> bool:
    selector = LabelSelector.model_validate(policy["spec"].get("podSelector") or {})
    return selector.matches(pod["metadata"].get("labels") or {})


def _some(names: list[str]) -> str:
    shown = ", ".join(sorted(names)[:SHOWN])
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return f"pod{'' if len(names) == 1 else 's'} {shown}{more}"
