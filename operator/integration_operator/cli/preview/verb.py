"""`plan` from its options to its exit code."""

import sys
from dataclasses import dataclass

from integration_operator import registry
from integration_operator.cli.options import Output
from integration_operator.cli.preview import render
from integration_operator.cli.preview.files import Problem, read
from integration_operator.cli.preview.preview import Planned, Preview
from integration_operator.cli.preview.twice import Inputs, previewed
from integration_operator.cli.run import Failure
from integration_operator.core.ports import Environment


@dataclass(frozen=True)
class Request:
    """What was asked for."""

    files: tuple[str, ...]
    output: Output
    namespace: str | None
    operator_namespace: str | None
    gateway: str | None
    context: str | None = None
    kubeconfig: str | None = None


async def offline(request: Request) -> int:
    """Plan without a cluster."""
    documents, problems = read(request.files)
    environment = Environment(
        namespace=request.operator_namespace or Environment.namespace,
        gateway=request.gateway or Environment.gateway,
    )
    inputs = Inputs(environment, documents, problems, request.namespace or "default")
    preview, planned = await previewed(inputs)
    something_in(request.files, preview, planned)
    if planned or request.output is Output.JSON:
        {Output.TREE: render.tree, Output.YAML: render.yaml, Output.JSON: render.json}[request.output](planned, preview)
    complain(preview.problems, planned if request.output is Output.YAML else [])
    return 1 if preview.problems or any(one.refused for one in planned) else 0


def something_in(files: tuple[str, ...], preview: Preview, planned: list[Planned]) -> None:
    """Failure where there is nothing to plan."""
    if not planned and not preview.problems:
        kinds = ", ".join(kind.name for kind in registry.KINDS)
        where = ", ".join("standard input" if f == "-" else f for f in files)
        raise Failure(f"nothing to plan in {where}: it has no {kinds}")


def complain(problems: list[Problem], refused: list[Planned]) -> None:
    """What is wrong, on stderr."""
    sys.stdout.flush()
    for problem in problems:
        messages = [f"  {message}" for message in problem.messages]
        head = f"error: {problem.source}" + (f": {problem.title}" if problem.title else "")
        print("\n".join([head, *messages]), file=sys.stderr)
    for one in refused:
        for condition in one.plan.conditions:
            if condition.status is False and condition.type != "Ready":
                said = f"{condition.type}=False {condition.reason}: {condition.message}"
                print(
                    f"error: {one.source}: {one.key.kind} {one.key.namespace}/{one.key.name}\n  {said}", file=sys.stderr
                )
