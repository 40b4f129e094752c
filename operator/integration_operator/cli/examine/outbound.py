"""What the cluster calls its own, and users' connections may not lead into: is all of it known?"""

from integration_operator.cli.examine.finding import Finding, Patient, examination, ok, warning
from integration_operator.cli.installation import Installation
from integration_operator.engine.ranges import CLUSTER_WIDE, SOURCES, read

NAME_THEM = "name them in outbound.deny (values of the chart)"


@examination("outbound rules")
async def own_networks(patient: Patient) -> list[Finding]:
    """As each installation may read them: with watchNamespaces nothing cluster-wide."""
    return [finding for one in patient.installations for finding in await _of(patient, one)]


async def _of(patient: Patient, one: Installation) -> list[Finding]:
    name = f"outbound rules of {one.namespace}/{one.name}"
    if not one.settings.deny_cluster:
        return [warning(f"{name}: the cluster's own networks are open to users' connections", "outbound.denyCluster")]
    found = []
    for source in SOURCES:
        if one.settings.watch_namespaces and source in CLUSTER_WIDE:
            unknown = "not read with watchNamespaces"
        else:
            unknown = (await read(patient.cluster, source)).unknown
        if unknown:
            found.append(warning(f"{name}: {source}: {unknown}", NAME_THEM))
    return found or [ok(f"{name}: all networks of the cluster's own are known")]
