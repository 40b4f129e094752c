"""The audit log's schema (docs/audit.schema.json) against what is really emitted."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator, ValidationError

DOCS = Path(__file__).resolve().parents[3] / "docs"
EMIT = """
import structlog
from integration_operator.core.ports import Key
from integration_operator.engine import audit, logs

logs.configure("ERROR")
key = Key("ApiRoute", "shop", "orders")
cause = {"metadata": {"uid": "u-1", "generation": 3}, "asked_by": "kubectl"}
with structlog.contextvars.bound_contextvars(object=str(key), reconcile="18f"):
    audit.record("apply", "HTTPRoute/orders", key, cause)
    audit.record("apply", "Secret/orders", key, cause, "failed", "RefusedByCluster")
audit.record("ensure", "memory/thing", key, {})
audit.record("delete", "HTTPRoute/orders", key, cause)
"""


@pytest.fixture(scope="module")
def schema() -> Draft202012Validator:
    found = json.loads((DOCS / "audit.schema.json").read_text())
    Draft202012Validator.check_schema(found)
    return Draft202012Validator(found)


@pytest.fixture(scope="module")
def emitted() -> list[dict[str, Any]]:
    """Lines of a process that logs as the operator does."""
    done = subprocess.run([sys.executable, "-c", EMIT], capture_output=True, text=True, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_every_emitted_line_fits_the_schema(schema: Draft202012Validator, emitted: list[dict[str, Any]]) -> None:
    assert len(emitted) == 4
    for line in emitted:
        schema.validate(line)


def test_every_emitted_field_is_in_the_schema_and_in_the_docs(emitted: list[dict[str, Any]]) -> None:
    known = json.loads((DOCS / "audit.schema.json").read_text())["properties"].keys()
    documented = set(re.findall(r"^\| `(\w+)` \|", (DOCS / "audit.md").read_text(), re.MULTILINE))
    fields = {field for line in emitted for field in line}
    assert fields == set(known)
    assert fields - {"logger", "level", "message"} == documented


def test_the_documented_lines_fit_the_schema(schema: Draft202012Validator) -> None:
    (block,) = re.findall(r"```json\n(.*?)```", (DOCS / "audit.md").read_text(), re.DOTALL)
    lines = block.splitlines()
    assert len(lines) == 2
    for line in lines:
        schema.validate(json.loads(line))


@pytest.mark.parametrize(
    "change",
    [
        {"schema": "integration.threehorizons.io/audit/v2"},
        {"action": "create"},
        {"outcome": "failed"},
        {"reason": "Refused"},
        {"generation": "3"},
        {"target": "orders"},
        {"object": {"kind": "ApiRoute"}},
    ],
)
def test_another_line_does_not_fit(
    schema: Draft202012Validator, emitted: list[dict[str, Any]], change: dict[str, Any]
) -> None:
    with pytest.raises(ValidationError):
        schema.validate({**emitted[0], **change})
