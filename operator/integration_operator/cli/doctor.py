"""`kubectl integrations doctor`: what is wrong in the cluster, and what to do."""

from typing import Annotated

import typer

from integration_operator.cli.options import Context, Kubeconfig, Report
from integration_operator.cli.run import carry_out


def doctor(
    output: Annotated[Report, typer.Option("--output", "-o", help="How to print it.")] = Report.TEXT,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> None:
    """Find out what is wrong in the cluster, and say what to do.

    Looks at the operator and its CRDs, the gateway and its controller, what egress policies cut off, and every object.
    Reads only, and says what may not be read.

    \b
    Examples:
      kubectl integrations doctor
      kubectl integrations doctor -o json --context staging

    Exit codes: 0 no problem, perhaps warnings; 1 a problem, or an error.
    """
    # Models and the cluster's client take a while to import: --help need not wait for them.
    from integration_operator.cli.examine import verb  # noqa: PLC0415

    carry_out(verb.doctor(output, context, kubeconfig))
