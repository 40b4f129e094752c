"""`python -m dev chaos`."""

import asyncio
import tempfile
from collections import Counter
from pathlib import Path
from typing import Annotated

import typer
from rich import print as show

from dev.chaos.run import chaos as run


def chaos(
    kills: Annotated[int, typer.Option(help="How often the operator is killed.")] = 100,
    objects: Annotated[int, typer.Option(help="ApiRoutes, ServiceConnections and Widgets.")] = 200,
    seed: Annotated[int, typer.Option(help="Of the steps and the moments; the same one gives the same steps.")] = 1,
) -> None:
    """Kill the operator (-9) at random moments while objects change: the end must be that of an undisturbed run."""
    with tempfile.TemporaryDirectory(prefix="chaos-") as home:
        report = asyncio.run(run(kills, objects, seed, Path(home), lambda text: show(text)))
    show(f"{report.kills.total()} kills: {_listed(report.kills)}")
    show(f"{report.steps.total()} steps: {_listed(report.steps)}")
    show(f"{report.compared.total()} things compared: {_listed(report.compared)}")
    for line in report.different[:50]:
        show(f"[red]different[/] {line}")
    show(f"{len(report.different)} differences, in {report.seconds:.0f} s")
    if report.different:
        raise typer.Exit(1)


def _listed(counter: Counter[str]) -> str:
    return "; ".join(f"{n} {what}" for what, n in counter.most_common())
