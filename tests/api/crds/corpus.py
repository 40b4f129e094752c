"""The corpus: objects that must be accepted (tests/api/good) or refused (tests/api/bad), with the message."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import yaml
from pydantic import ValidationError

from integration_operator import registry

ROOT = Path(__file__).resolve().parents[1]
KINDS = {kind.name: kind for kind in registry.KINDS}
PREFIX = "# message: "


@dataclass(frozen=True)
class Case:
    """A file. With two documents the second is an update of the first, which is good."""

    name: str
    message: str
    documents: tuple[dict[str, Any], ...]


def cases(folder: str) -> list[Case]:
    found = []
    for path in sorted((ROOT / folder).glob("*.yaml")):
        text = path.read_text()
        message = text.partition("\n")[0].removeprefix(PREFIX) if text.startswith(PREFIX) else ""
        found.append(Case(path.stem, message, tuple(yaml.safe_load_all(text))))
    return found


def path_of(document: dict[str, Any], namespace: str) -> str:
    plural = KINDS[document["kind"]].plural
    return f"/apis/{document['apiVersion']}/namespaces/{namespace}/{plural}"


def offer(http: httpx.Client, namespace: str, case: Case) -> httpx.Response:
    """The API server's answer to the last document, with strict field validation as kubectl has it."""
    *before, last = ({**d, "metadata": {**d["metadata"], "name": case.name}} for d in case.documents)
    params = {"fieldValidation": "Strict", "dryRun": "All"}
    path = path_of(last, namespace)
    if not before:
        return http.post(path, params=params, json=last)
    created = http.post(path, params={"fieldValidation": "Strict"}, json=before[0])
    assert created.status_code == 201, created.text
    last["metadata"]["resourceVersion"] = created.json()["metadata"]["resourceVersion"]
    return http.put(f"{path}/{case.name}", params=params, json=last)


def judged(document: dict[str, Any]) -> list[str]:
    """What the operator's own model has against a document: messages, none where it is good."""
    try:
        KINDS[document["kind"]].model.model_validate(document)
    except ValidationError as error:
        return [f"{'.'.join(str(part) for part in e['loc'])}: {e['msg']}" for e in error.errors()]
    return []
