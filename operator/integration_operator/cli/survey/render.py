"""A survey as a tree and as JSON."""

from dataclasses import asdict
from itertools import groupby
from typing import Any

from rich.console import Console
from rich.text import Text
from rich.tree import Tree

from integration_operator.cli.output import console, text, to_json
from integration_operator.cli.survey.gather import Standing, Survey

STYLE = {"True": "good", "False": "bad", "Unknown": "warning"}
WORD = {"True": "ready", "False": "not ready", "Unknown": "not known"}


def tree(found: Survey) -> None:
    """Integrations, their objects, and below them conditions and children."""
    out = console()
    for name, group in groupby(found.standings, lambda standing: standing.part_of):
        if name:
            root = Tree(text((name, "name")))
            for standing in group:
                root.children.append(_object(standing))
            out.print(root)
        else:
            _apart(out, list(group))
    counts = {status: sum(s.ready == status for s in found.standings) for status in WORD}
    words = [text((f"{number} {WORD[status]}", STYLE[status])) for status, number in counts.items() if number]
    out.print(Text("\n") + Text(", ").join(words))


def _apart(out: Console, standings: list[Standing]) -> None:
    for standing in standings:
        out.print(_object(standing))


def _object(standing: Standing) -> Tree:
    style = STYLE[standing.ready]
    place = f"{standing.key.namespace}/{standing.key.name}"
    line = text(
        (standing.key.kind, "kind"), " ", (place, "name"), "  ", (f"Ready={standing.ready} {standing.reason}", style)
    )
    node = Tree(line)
    if standing.ready != "True" and standing.message:
        node.add(text((standing.message, style)))
    others = [c for c in standing.conditions if c["type"] != "Ready"]
    for condition in others:
        if condition["status"] != "True":
            said = f"{condition['type']}={condition['status']} {condition['reason']}"
            detail = condition.get("message", "")
            shown = f": {detail}" if detail and detail != standing.message else ""
            node.add(text((said, STYLE[condition["status"]]), shown))
    if good := [f"{c['type']}=True" for c in others if c["status"] == "True"]:
        node.add(text((", ".join(good), "good")))
    for child in standing.children:
        branch = node.add(text((child.kind, "kind"), f" {child.name}"))
        for problem in child.problems:
            branch.add(text((problem, "bad")))
    return node


def json(found: Survey) -> None:
    """The same as data."""
    print(to_json([_data(standing) for standing in found.standings]))


def _data(standing: Standing) -> dict[str, Any]:
    own = {"ready": standing.ready, "reason": standing.reason, "message": standing.message}
    return {
        **standing.key._asdict(),
        "partOf": standing.part_of,
        **own,
        "conditions": [dict(c) for c in standing.conditions],
        "children": [asdict(child) for child in standing.children],
    }
