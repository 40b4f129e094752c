"""What was measured, beside what it should be."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table

from dev.bench.measure import Figures

NOTE = (
    "No gateway controller runs here: every status stays Programmed=Unknown, and no route is probed. "
    "Wall and CPU are from the start of each process; writes are as the API server counted them, "
    "without renewals of the Lease. For changes, the bare client watches ApiRoutes and applies their children."
)


@dataclass(frozen=True)
class Line:
    """One figure; `good` None where there is no target."""

    what: str
    operator: str
    bare: str = ""
    ratio: str = ""
    target: str = ""
    good: bool | None = None


def lines(f: Figures) -> Iterator[Line]:
    """Every figure of one number of ApiRoutes, with the targets of docs/benchmarks.md."""
    wall, cpu = f.fill.seconds / f.bare.seconds, f.fill.cpu / f.bare.cpu
    yield Line(
        "fill: wall", f"{f.fill.seconds:.1f} s", f"{f.bare.seconds:.1f} s", f"{wall:.2f}", "≤ 2 × bare", wall <= 2
    )
    yield Line("fill: CPU", f"{f.fill.cpu:.1f} s", f"{f.bare.cpu:.1f} s", f"{cpu:.2f}", "≤ 4 × bare", cpu <= 4)
    yield Line("  beside: all else", f"{f.fill.others:.2f} cores", f"{f.bare.others:.2f} cores")
    memory = max(f.fill.memory, f.restart_memory)
    yield Line("peak memory", f"{memory:.0f} MiB", f"{f.bare.memory:.0f} MiB", "", "≤ 200 MiB", memory <= 200)
    yield Line(
        "fill: writes", counted(f.fill_writes), counted(f.bare_writes), "", "one apply, one status each", _fewest(f)
    )
    yield Line("idle: writes", counted(f.idle_writes), "", "", "0", not f.idle_writes)
    yield Line("idle: CPU", f"{f.idle_cpu * 100:.2f} % of a core", "", "", "< 1 %", f.idle_cpu < 0.01)
    yield Line("change to child: p50", f"{f.change.p50:.0f} ms", f"{f.relay.p50:.0f} ms")
    beyond = f.change.p99 - f.relay.p99
    yield Line(
        "change to child: p99",
        f"{f.change.p99:.0f} ms",
        f"{f.relay.p99:.0f} ms",
        "",
        "< 250 ms beyond bare",
        beyond < 250,
    )
    yield Line("restart: all seen", f"{f.seen_seconds:.1f} s", "", "", "< 20 s", f.seen_seconds < 20)
    yield Line("restart: all reconciled", f"{f.settled_seconds:.1f} s")
    unchanged = not f.restart_writes and f.restart_changed == 0
    yield Line("restart: writes", counted(f.restart_writes), "", "", "0, status stays", unchanged)


def _fewest(f: Figures) -> bool:
    return f.fill_writes == {"apply httproutes": f.count, "patch apiroutes/status": f.count}


def counted(writes: Mapping[str, int]) -> str:
    """Writes in words."""
    return "\n".join(f"{n} {what}" for what, n in sorted(writes.items())) or "0"


def show(found: Figures) -> bool:
    """Print the table; whether every target is met."""
    table = Table(title=f"{found.count} ApiRoutes", title_justify="left", title_style="bold")
    for name in ("", "operator", "bare client", "ratio", "target", ""):
        table.add_column(name, justify="right" if name in ("operator", "bare client", "ratio") else "left")
    listed = list(lines(found))
    for line in listed:
        verdict = "" if line.good is None else "[green]PASS[/]" if line.good else "[red]short[/]"
        table.add_row(line.what, line.operator, line.bare, line.ratio, line.target, verdict)
    Console(width=max(Console().width, 120)).print(table)
    return all(line.good is not False for line in listed)
