"""`kubectl integrations plan`: what the operator would make of manifests, without a cluster or against one."""

from typing import Annotated

import typer

from integration_operator.cli.options import Output
from integration_operator.cli.run import carry_out


def plan(
    files: Annotated[
        list[str],
        typer.Option(
            "--filename", "-f", metavar="FILE", help="File, directory (with all below it) or - for standard input."
        ),
    ],
    output: Annotated[Output, typer.Option("--output", "-o", help="How to print it.")] = Output.TREE,
    namespace: Annotated[
        str | None,
        typer.Option("--namespace", "-n", metavar="NAMESPACE", help="Namespace of objects that name none."),
    ] = None,
    operator_namespace: Annotated[
        str, typer.Option(metavar="NAMESPACE", help="Where the operator and its Gateway are.")
    ] = "integration-system",
    gateway: Annotated[str, typer.Option(metavar="NAME", help="The operator's own Gateway.")] = "public",
) -> None:
    """Print what the operator would create, before anything is applied.

    Works without a cluster. What only a cluster knows is a placeholder: secret values, resolved addresses. What the
    files refer to and don't have (a Secret, a Service, the Gateway) is taken for granted, and listed.

    \b
    Examples:
      kubectl integrations plan -f orders.yaml
      kubectl integrations plan -f manifests/ -o yaml
      helm template . | kubectl integrations plan -f -
    Exit codes: 0 all is well; 1 something is invalid or would be refused.
    """
    # Models and drivers take a while to import: --help need not wait for them.
    from integration_operator.cli.preview import verb  # noqa: PLC0415

    request = verb.Request(tuple(files), output, namespace, operator_namespace, gateway)
    carry_out(verb.offline(request))
