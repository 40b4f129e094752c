"""`plan --diff` from its options to its exit code."""

import sys
from dataclasses import replace

from integration_operator.cli.connect import connected
from integration_operator.cli.installation import installations
from integration_operator.cli.options import Output
from integration_operator.cli.output import note, progress
from integration_operator.cli.preview import render
from integration_operator.cli.preview.diff import Differ
from integration_operator.cli.preview.files import read
from integration_operator.cli.preview.live import Live
from integration_operator.cli.preview.twice import Inputs, previewed
from integration_operator.cli.preview.verb import Request, complain, something_in
from integration_operator.cli.run import Failure
from integration_operator.core.errors import Forbidden
from integration_operator.core.ports import Environment
from integration_operator.engine.cluster import Cluster


async def diff(request: Request) -> int:
    """Plan with the cluster as background, and compare with it."""
    if request.output is Output.YAML:
        raise Failure("--diff prints a diff, or JSON with -o json")
    documents, problems = read(request.files)
    async with connected(request.kubeconfig, request.context) as cluster:
        with progress("comparing with the cluster"):
            namespace = request.namespace or cluster.namespace
            live = Live(cluster)
            namespaces = {d.manifest["metadata"].get("namespace", namespace) for d in documents}
            environment = await _environment(cluster, request)
            objects = await live.objects(namespaces)
            preview, planned = await previewed(Inputs(environment, documents, problems, namespace, live, objects))
            something_in(request.files, preview, planned)
            differ = Differ(cluster, preview)
            for one in planned:
                await differ.compare(one)
    found = differ.found
    render.changes(found, planned, request.output)
    complain(preview.problems, planned)
    for problem in found.problems:
        print(f"error: {problem}", file=sys.stderr)
    if found.unasked:
        note(f"without the right to patch or list {', '.join(sorted(found.unasked))}: compared as far as could be read")
    if live.unreadable:
        note(f"without the right to read {', '.join(live.unreadable)}: taken for granted")
    if preview.problems or found.problems or any(one.refused for one in planned):
        return 2
    return 1 if found.changes else 0


async def _environment(cluster: Cluster, request: Request) -> Environment:
    """As the operator in the cluster has it; what was said on the command line wins."""
    try:
        found = await installations(cluster)
    except Forbidden:
        found = []
    environment = found[0].settings.environment if len(found) == 1 else Environment()
    return replace(
        environment,
        namespace=request.operator_namespace or environment.namespace,
        gateway=request.gateway or environment.gateway,
    )
