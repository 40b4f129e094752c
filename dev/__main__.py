"""`python -m dev`: the local cluster."""

import json
import os
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich import print as show

from dev import addons, clusters, demo, stack, testing
from dev.apiserver import ApiServer
from dev.bench.command import bench
from dev.chaos.command import chaos
from dev.processes import Failed

app = typer.Typer(
    help="The local cluster of integration-operator.", no_args_is_help=True, pretty_exceptions_enable=False
)
cluster = typer.Typer(
    help="A whole cluster: CLUSTER=current, kind, or native, the first that works.", no_args_is_help=True
)
app.add_typer(cluster, name="cluster")
app.command()(bench)
app.command()(chaos)

NAME = os.environ.get("CLUSTER_NAME", "dev")


@cluster.command()
def up() -> None:
    """Bring the cluster up, or what is missing of it."""
    chosen = clusters.choose(NAME)
    chosen.up()
    show(f"export KUBECONFIG={chosen.kubeconfig}")


@cluster.command()
def down() -> None:
    """Take the cluster down; nothing of it is left."""
    if clusters.exists(NAME):
        clusters.choose(NAME).down()
    show(f"cluster {NAME} is down")


@cluster.command()
def status() -> None:
    """What runs and what does not."""
    if not clusters.exists(NAME):
        show(f"cluster {NAME} is not there: make cluster-up")
        raise typer.Exit(1)
    found = clusters.choose(NAME).status()
    for place, parts in found.items():
        show(
            f"{place}: "
            + ", ".join(f"{n} [{'green' if up else 'red'}]{'up' if up else 'down'}[/]" for n, up in parts.items())
        )
    if not all(all(parts.values()) for parts in found.values()):
        raise typer.Exit(1)


@cluster.command()
def kubeconfig() -> None:
    """Print the path of its kubeconfig."""
    print(clusters.choose(NAME).kubeconfig)


@cluster.command()
def host_address() -> None:
    """Print the address by which the cluster reaches this machine."""
    print(clusters.choose(NAME).host_address())


@cluster.command()
def load(
    images: Annotated[list[str], typer.Argument(help="Images: pause, echo, envoy, integration-operator, …")],
) -> None:
    """Build images whose inputs changed and bring them to the nodes."""
    clusters.choose(NAME).load(images)


@app.command("addons")
def install_addons() -> None:
    """Gateway API and Envoy Gateway, until they are available."""
    addons.install(clusters.choose(NAME))


@app.command("stack")
def install_stack() -> None:
    """A cluster with Envoy Gateway and the operator in it, or what is missing of that."""
    show(f"export KUBECONFIG={stack.up(NAME).kubeconfig}")


demo_app = typer.Typer(help="The demo: make demo, make demo-down.", no_args_is_help=True)
app.add_typer(demo_app, name="demo")


@demo_app.command("up")
def demo_up() -> None:
    """A cluster, the operator, real examples, real traffic."""
    demo.Demo(NAME).run()


@demo_app.command("down")
def demo_down() -> None:
    """Take it down; nothing of it is left."""
    demo.down(NAME)


@app.command("test")
def run_tests(
    layers: Annotated[list[str], typer.Argument(help=f"Of {', '.join(testing.LAYERS)}.")],
    keep: Annotated[bool, typer.Option(help="Leave the cluster of the e2e tests up.", envvar="KEEP")] = False,
) -> None:
    """Run layers of tests, with all their set-up."""
    if unknown := [name for name in layers if name not in testing.LAYERS]:
        raise typer.BadParameter(f"no layer {unknown[0]}: there are {', '.join(testing.LAYERS)}")
    if not testing.run(layers, keep):
        raise typer.Exit(1)


@app.command()
def apiserver() -> None:
    """A real API server alone, until Enter (or the end of input)."""
    with ApiServer() as api:
        show(f"export KUBECONFIG={api.kubeconfig}")
        sys.stdin.readline()


@app.command()
def versions() -> None:
    """Print what the cluster is made of."""
    from dev import versions as pinned  # noqa: PLC0415 - the name is the command's, too

    print(json.dumps({k: v for k, v in vars(pinned).items() if k.isupper() and not isinstance(v, Path)}, indent=2))


if __name__ == "__main__":
    try:
        app()
    except Failed as error:
        sys.exit(f"error: {error}")
