"""Objects of ours out of documents; what is wrong with the others, in words that say what to write."""

import json
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from integration_operator.cli.preview.files import Document
from integration_operator.core.kind import Kind
from integration_operator.core.model import API_VERSION, GROUP, Resource

_TIME = "write a time with its zone, as 2027-03-01T00:00:00Z"
SAY = {
    "missing": "is required",
    "string_type": "must be text: put it in quotes",
    "int_type": "must be a whole number, without quotes",
    "bool_type": "must be true or false, without quotes",
    "model_type": "must be an object with fields of its own",
    "list_type": "must be a list",
    "dict_type": "must be an object with fields of its own",
    "datetime_type": _TIME,
    "datetime_parsing": _TIME,
    "datetime_from_date_parsing": _TIME,
    "timezone_aware": _TIME,
}
"""Words for what pydantic says in Python's terms; other messages are our models' own, or nearly clear."""


class Invalid(Exception):
    """Why a document can't be taken: a sentence for each thing that is wrong."""

    def __init__(self, messages: Iterable[str]) -> None:
        self.messages = tuple(messages)
        super().__init__("; ".join(self.messages))


def ours(document: Document) -> bool:
    """Whether an object is, or is meant to be, one of ours."""
    api_version = str(document.manifest["apiVersion"])
    return api_version.partition("/")[0] == GROUP


def validated(document: Document, kinds: Mapping[str, Kind[Any, Any]]) -> Resource[Any]:
    """The object as its model has it; Invalid says what is wrong."""
    manifest = document.manifest
    if manifest["apiVersion"] != API_VERSION:
        raise Invalid([f"apiVersion: write {API_VERSION}"])
    kind = kinds.get(manifest["kind"])
    if kind is None:
        raise Invalid([f"kind: {GROUP} has no {manifest['kind']}{_perhaps(manifest['kind'], kinds)}"])
    if "spec" not in manifest:
        raise Invalid(["spec: is required"])
    try:
        # Strict, from JSON: "80" is no number to the API server either.
        resource: Resource[Any] = kind.model.model_validate_json(json.dumps(manifest), strict=True)
    except ValidationError as error:
        raise Invalid(_explained(error, kind.model)) from None
    return resource


def _explained(error: ValidationError, model: type[BaseModel]) -> list[str]:
    messages = []
    for entry in error.errors(include_url=False, include_input=False, include_context=False):
        path = entry["loc"]
        if entry["type"] == "extra_forbidden":
            known = _fields(model, path[:-1])
            message = f"is no field of this{_perhaps(str(path[-1]), known)}"
            if path[-1] in ("true", "false"):
                message += "; YAML reads a bare on, yes, off or no as a boolean: write such a key in quotes"
        else:
            message = SAY.get(entry["type"]) or _reworded(entry["msg"])
        messages.append(f"{_written(path)}: {message}")
    return messages


def _reworded(message: str) -> str:
    return message.replace("Input should be", "must be").replace(" after validation", "")


def _written(path: tuple[int | str, ...]) -> str:
    """A place as one writes it: spec.versions[0].name."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).lstrip(".")


def _perhaps(word: str, known: Iterable[str]) -> str:
    choices = sorted(known)
    near = get_close_matches(word, choices, 1) or [c for c in choices if c.lower() == word.lower()]
    if near:
        return f": did you mean {near[0]}?"
    return f": it has {', '.join(choices)}" if choices else ""


def _fields(model: type[BaseModel], path: tuple[int | str, ...]) -> list[str]:
    """Names that may stand at a place of a model."""
    for part in path:
        if isinstance(part, int):
            continue
        field = next((f for n, f in model.model_fields.items() if part in (f.alias, n)), None)
        found = _model_in(field.annotation) if field else None
        if found is None:
            return []
        model = found
    return [f.alias or n for n, f in model.model_fields.items()]


def _model_in(annotation: Any) -> type[BaseModel] | None:
    """The model inside Optional, list and Annotated."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for a in get_args(annotation) if (found := _model_in(a))), None)
