"""`kubectl integrations plan`: what the operator would make of manifests, without a cluster or against one."""

from typing import Annotated

import typer

from integration_operator.cli.options import Context, Kubeconfig, Output
from integration_operator.cli.run import carry_out


def plan(
    files: Annotated[
        list[str],
        typer.Option(
            "--filename", "-f", metavar="FILE", help="File, directory (with all below it) or - for standard input."
        ),
    ],
    output: Annotated[Output, typer.Option("--output", "-o", help="How to print it.")] = Output.TREE,
    diff: Annotated[bool, typer.Option("--diff", help="Compare with the cluster instead. Nothing is written.")] = False,
    namespace: Annotated[
        str | None,
        typer.Option("--namespace", "-n", metavar="NAMESPACE", help="Namespace of objects that name none."),
    ] = None,
    operator_namespace: Annotated[
        str | None,
        typer.Option(
            metavar="NAMESPACE",
            help="Where the operator and its Gateway are: integration-system, or found with --diff.",
        ),
    ] = None,
    gateway: Annotated[
        str | None, typer.Option(metavar="NAME", help="The operator's own Gateway: public, or found with --diff.")
    ] = None,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> None:
    """Print what the operator would create, before anything is applied.

    Works without a cluster. What only a cluster knows is a placeholder: secret values, resolved addresses. What the
    files refer to and don't have (a Secret, a Service, the Gateway) is taken for granted, and listed.

    \b
    Examples:
      kubectl integrations plan -f orders.yaml
      kubectl integrations plan -f manifests/ -o yaml
      helm template . | kubectl integrations plan -f -
      kubectl integrations plan -f orders.yaml --diff

    Exit codes: 0 all is well; 1 something is invalid or would be refused. With --diff: 0 nothing would change,
    1 something would, 2 or more: an error.
    """
    # Models, drivers and the cluster's client take a while to import: what does not need them need not wait.
    from integration_operator.cli.preview import verb  # noqa: PLC0415

    request = verb.Request(tuple(files), output, namespace, operator_namespace, gateway, context, kubeconfig)
    if diff:
        from integration_operator.cli.preview import against  # noqa: PLC0415

        carry_out(against.diff(request), failed=2)
    carry_out(verb.offline(request))
