"""A preview as a tree, as YAML and as JSON."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from datetime import timedelta
from typing import Any

from rich.text import Text
from rich.tree import Tree

from integration_operator.cli.options import Output
from integration_operator.cli.output import console, text, to_json, to_yaml_stream
from integration_operator.cli.preview.changes import Comparison
from integration_operator.cli.preview.placeholders import DERIVED, UID, Placeholders, masked
from integration_operator.cli.preview.preview import Planned, Preview
from integration_operator.core.model import format_duration
from integration_operator.core.plan import Condition, Manifest

_STATUS = {True: "True", False: "False", None: "Unknown"}


def tree(planned: Sequence[Planned], preview: Preview) -> None:
    """Each object with what is known of it, and its children."""
    out = console()
    for one in planned:
        where = f"{one.key.namespace}/{one.key.name}"
        root = Tree(text((one.key.kind, "kind"), " ", (where, "name"), "  ", (one.source, "faint")))
        for line in _conditions(one.plan.conditions):
            root.add(line)
        if one.held:
            root.add(text(("nothing is made: what it has now stays as it is", "warning")))
        for child in one.children:
            root.add(_child(child, preview.placeholders))
        for external in one.plan.external or ():
            root.add(text((external.driver, "kind"), f" {external.key}"))
        for check in one.plan.checks:
            every = f"{check.driver}, every {_about(check.interval)}"
            root.add(text(("probed", "faint"), f" {check.name} ", (every, "faint")))
        out.print(root)
    if taken := preview.assumptions.listed():
        out.print(text("\n", ("Taken for granted, since the files don't have it:", "name")))
        for assumed in taken:
            out.print(f"  {assumed}")
    children = sum(len(one.children) for one in planned)
    out.print(f"\n{_count(len(planned), 'object')}, {_count(children, 'child', 'ren')}")


def _about(interval: timedelta) -> str:
    """A time as a person says it: whole seconds, and minutes where there are many."""
    seconds = max(1, round(interval.total_seconds()))
    return format_duration(timedelta(seconds=seconds if seconds < 120 else round(seconds / 60) * 60))


def _count(number: int, noun: str, plural: str = "s") -> str:
    return f"{number} {noun}{'' if number == 1 else plural}"


def _conditions(conditions: Iterable[Condition]) -> list[Text]:
    """Bad ones with their reasons, each on a line; then good ones; then those that only the cluster can tell."""
    listed = [c for c in conditions if c.type != "Ready"]
    lines = [
        text((f"{c.type}=False {c.reason}", "bad"), f": {c.message}" if c.message else "")
        for c in listed
        if c.status is False
    ]
    if good := [f"{c.type}=True" for c in listed if c.status]:
        lines.append(text((", ".join(good), "good")))
    if later := [c.type for c in listed if c.status is None]:
        lines.append(text((f"known once it is applied: {', '.join(later)}", "faint")))
    return lines


def _child(child: Manifest, placeholders: Placeholders) -> Text:
    line = text((child["kind"], "kind"), f" {child['metadata']['name']}")
    if child["kind"] == "Secret":
        keys = ", ".join(sorted(child.get("data") or {}))
        return line.append_text(text((f"  keys: {keys}", "faint")))
    if found := [words for words in placeholders.inside(child) if words not in (UID, DERIVED)]:
        line.append_text(text((f"  to be filled in: {', '.join(found)}", "faint")))
    return line


def printed(child: Manifest, placeholders: Placeholders) -> dict[str, Any]:
    """A child as it may be shown: no secret, stand-ins in words."""
    result: dict[str, Any] = placeholders.revealed(masked(child))
    return result


def yaml(planned: Sequence[Planned], preview: Preview) -> None:
    """The children, one document each."""
    stream = (
        (f"{one.key.kind} {one.key.namespace}/{one.key.name}, {one.source}", printed(child, preview.placeholders))
        for one in planned
        for child in one.children
    )
    print(to_yaml_stream(stream), end="")


def json(planned: Sequence[Planned], preview: Preview) -> None:
    """Everything: objects with conditions, children and checks; problems; what was taken for granted."""
    problems = [{"source": p.source, "object": p.title, "messages": list(p.messages)} for p in preview.problems]
    assumed = [asdict(one) for one in preview.assumptions.listed()]
    objects = [_object(one, preview.placeholders) for one in planned]
    print(to_json({"objects": objects, "problems": problems, "assumed": assumed}))


def _object(one: Planned, placeholders: Placeholders) -> dict[str, Any]:
    return {
        **one.key._asdict(),
        "source": one.source,
        "conditions": [
            {"type": c.type, "status": _STATUS[c.status], "reason": str(c.reason), "message": c.message}
            for c in one.plan.conditions
        ],
        "children": None if one.held else [printed(child, placeholders) for child in one.children],
        "external": [{"driver": e.driver, "key": e.key} for e in one.plan.external or ()],
        "checks": [
            {"name": c.name, "driver": c.driver, "interval": format_duration(c.interval)} for c in one.plan.checks
        ],
    }


_MARKS = {"+": "good", "-": "bad", "@": "faint"}


def changes(found: Comparison, planned: Sequence[Planned], output: Output) -> None:
    """What would change, as a diff that tools for diffs can read; JSON where asked for."""
    if output is Output.JSON:
        listed = [asdict(change) for change in found.changes]
        held = [one.key._asdict() for one in planned if one.held]
        print(to_json({"changes": listed, "problems": found.problems, "held": held}))
        return
    out = console()
    for change in found.changes:
        for line in change.diff.splitlines():
            out.print(text((line, _MARKS.get(line[0], ""))))
