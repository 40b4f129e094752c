"""The kubectl plug-in `kubectl integrations`: the table of its commands."""

import typer

from integration_operator.cli.doctor import doctor
from integration_operator.cli.plan import plan
from integration_operator.cli.status import status
from integration_operator.cli.version import version

app = typer.Typer(
    name="kubectl integrations",
    help="See what integrations are made of: before they are applied, in the cluster, and when something is wrong.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(plan)
app.command()(status)
app.command()(doctor)
app.command()(version)


def main() -> None:
    """The entry point; kubectl finds it by its name, kubectl-integrations."""
    app(prog_name="kubectl integrations")
