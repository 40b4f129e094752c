"""`python -m dev bench`."""

import asyncio
import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich import print as show

from dev.apiserver import ApiServer
from dev.bench import report
from dev.bench.measure import Figures, measure


def bench(
    count: Annotated[list[int], typer.Option(help="ApiRoutes; may be given several times.")] = [1000, 5000],  # noqa: B006 - typer's way
    idle: Annotated[float, typer.Option(help="Seconds to watch it do nothing.")] = 60.0,
    changes: Annotated[int, typer.Option(help="Changes to measure.")] = 300,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write all figures here.")] = None,
) -> None:
    """ApiRoutes from nothing to applied, changes, restart and idle: time, CPU, memory, writes, beside a bare client."""
    figures: list[Figures] = []
    for number in count:
        show(f"{number} ApiRoutes: fill, {idle:.0f} s idle, {changes} changes, restart, bare client …")
        with ApiServer() as api:
            figures.append(asyncio.run(measure(api, number, idle, changes)))
        report.show(figures[-1])
    show(report.NOTE)
    if json_file:
        json_file.write_text(json.dumps([asdict(f) for f in figures], indent=1) + "\n")
