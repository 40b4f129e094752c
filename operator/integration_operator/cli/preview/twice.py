"""Finds what is made from stand-ins: plans twice, with other ones, and looks at what differs otherwise than by them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from integration_operator.cli.preview.files import Document, Problem
from integration_operator.cli.preview.placeholders import Placeholders
from integration_operator.cli.preview.preview import Beyond, Nothing, Planned, Preview
from integration_operator.core.plan import Manifest
from integration_operator.core.ports import Environment, Key


@dataclass(frozen=True)
class Inputs:
    """All that a preview is made from."""

    environment: Environment
    documents: list[Document]
    problems: list[Problem]
    namespace: str
    """Of objects that name none."""
    beyond: Beyond = field(default_factory=Nothing)
    live: Mapping[Key, Manifest] = field(default_factory=dict)


async def previewed(inputs: Inputs) -> tuple[Preview, list[Planned]]:
    """The preview and its plans; problems in the order of the files."""
    now = datetime.now(UTC)
    one, other = (Preview(inputs.environment, inputs.beyond, Placeholders(salt), now) for salt in ("", "~"))
    for preview in (one, other):
        preview.add(inputs.documents, inputs.namespace, inputs.live)
    planned = await one.run()
    again = {p.key: p for p in await other.run()}
    for first in planned:
        second = again.get(first.key)
        for child, twin in zip(first.children, second.children if second else (), strict=False):
            _note_derived(child, twin, one.placeholders, other.placeholders)
    one.problems = sorted([*inputs.problems, *one.problems], key=lambda problem: problem.place)
    return one, planned


def _note_derived(value: Any, twin: Any, placeholders: Placeholders, others: Placeholders) -> None:
    if isinstance(value, Mapping) and isinstance(twin, Mapping):
        for key in value.keys() & twin.keys():
            _note_derived(value[key], twin[key], placeholders, others)
    elif isinstance(value, list | tuple) and isinstance(twin, list | tuple):
        for inner, inner_twin in zip(value, twin, strict=False):
            _note_derived(inner, inner_twin, placeholders, others)
    elif isinstance(value, str) and value != twin and placeholders.revealed(value) != others.revealed(twin):
        placeholders.derive(value)
