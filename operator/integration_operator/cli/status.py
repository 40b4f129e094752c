"""`kubectl integrations status`: how integrations stand in the cluster."""

from typing import Annotated

import typer

from integration_operator.cli.options import Context, Kubeconfig, Namespace, Report
from integration_operator.cli.run import carry_out


def status(
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="Only objects of this name.")] = None,
    namespace: Namespace = None,
    everywhere: Annotated[bool, typer.Option("--all-namespaces", "-A", help="Objects of all namespaces.")] = False,
    kind: Annotated[
        str | None, typer.Option("--kind", "-k", metavar="KIND", help="Only this kind; short names are fine.")
    ] = None,
    wait: Annotated[
        str | None, typer.Option(metavar="TIME", help="Wait so long, as 60s, until everything is ready.")
    ] = None,
    output: Annotated[Report, typer.Option("--output", "-o", help="How to print it.")] = Report.TEXT,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> None:
    """Show objects, their children, and what is wrong with them.

    Objects with the same label app.kubernetes.io/part-of are shown as one integration.

    \b
    Examples:
      kubectl integrations status
      kubectl integrations status orders -n shop
      kubectl integrations status -A -k apiroute -o json
      kubectl integrations status orders --wait 60s

    Exit codes: 0 everything is ready; 1 something is not, or an error.
    """
    # Models and the cluster's client take a while to import: --help need not wait for them.
    from integration_operator.cli.survey import verb  # noqa: PLC0415

    carry_out(verb.status(verb.Request(name, kind, namespace, everywhere, wait, output, context, kubeconfig)))
