"""CustomResourceDefinitions from models: pure. The schema is structural (apiextensions.k8s.io/v1), with every bound."""

from typing import Any

from integration_operator.core.kind import Kind
from integration_operator.core.model import GROUP, NAME_LIMIT, NAME_MESSAGE, VERSION

PENDING = {
    "type": "Ready",
    "status": "Unknown",
    "reason": "Pending",
    "message": "Waiting for the operator",
    "lastTransitionTime": "1970-01-01T00:00:00Z",
}
"""The default condition: readers take an absent status for done (kstatus)."""

_KEPT = {
    "type",
    "description",
    "default",
    "enum",
    "format",
    "pattern",
    "minLength",
    "maxLength",
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "minItems",
    "maxItems",
    "minProperties",
    "maxProperties",
    "required",
    "nullable",
}


def crd(kind: Kind[Any, Any]) -> dict[str, Any]:
    """The CRD of a kind. ValueError names every field without a bound or a description."""
    spec_model = kind.model.model_fields["spec"].annotation
    assert spec_model is not None
    assert hasattr(spec_model, "model_json_schema")
    spec = structural(spec_model.model_json_schema(by_alias=True))
    status = structural(kind.status.model_json_schema(by_alias=True))
    if problems := [*unbounded(spec, "spec"), *unbounded(status, "status")]:
        raise ValueError(f"{kind.name}: " + "; ".join(problems))
    status["description"] = "What the operator found."
    status["default"] = {"conditions": [PENDING]}
    version: dict[str, Any] = {
        "name": VERSION,
        "served": True,
        "storage": True,
        "subresources": {"status": {}},
        "additionalPrinterColumns": [
            {
                "name": column.name,
                "type": column.type,
                "jsonPath": column.json_path,
                **({"description": column.description} if column.description else {}),
                **({"priority": column.priority} if column.priority else {}),
            }
            for column in kind.all_columns
        ],
        "schema": {
            "openAPIV3Schema": {
                "type": "object",
                "description": kind.description,
                "required": ["spec"],
                "properties": {
                    "apiVersion": {"type": "string"},
                    "kind": {"type": "string"},
                    "metadata": {"type": "object"},
                    "spec": {"description": "What is asked for.", **spec},
                    "status": status,
                },
                "x-kubernetes-validations": [
                    {"rule": f"self.metadata.name.size() <= {NAME_LIMIT}", "message": NAME_MESSAGE}
                ],
            }
        },
    }
    if kind.selectable_fields:
        version["selectableFields"] = [{"jsonPath": path} for path in kind.selectable_fields]
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{kind.plural}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "scope": "Namespaced",
            "names": {
                "kind": kind.name,
                "listKind": f"{kind.name}List",
                "plural": kind.plural,
                "singular": kind.name.lower(),
                "shortNames": list(kind.short_names),
                "categories": ["integrations"],
            },
            "versions": [version],
        },
    }


def structural(schema: dict[str, Any], definitions: dict[str, Any] | None = None) -> dict[str, Any]:
    """A JSON schema of pydantic's as Kubernetes takes it: references inlined, nullable unions and titles gone."""
    definitions = schema.get("$defs", {}) if definitions is None else definitions
    if reference := schema.get("$ref"):
        target = definitions[reference.rpartition("/")[2]]
        beside = {k: v for k, v in schema.items() if k != "$ref"}
        return structural({**target, **beside}, definitions)
    if members := schema.get("anyOf"):
        (member,) = [m for m in members if m.get("type") != "null"]
        beside = {k: v for k, v in schema.items() if k not in ("anyOf", "default")}
        return structural({**member, **beside}, definitions)
    result = {k: v for k, v in schema.items() if k in _KEPT or k.startswith("x-kubernetes-")}
    if "const" in schema:
        result["enum"] = [schema["const"]]
    if result.get("default", ...) is None:
        del result["default"]
    if "properties" in schema:
        result["properties"] = {n: structural(p, definitions) for n, p in schema["properties"].items()}
    if "items" in schema:
        result["items"] = structural(schema["items"], definitions)
    extra = schema.get("additionalProperties")
    if isinstance(extra, dict):
        result["additionalProperties"] = structural(extra, definitions)
        names = schema.get("propertyNames")
        if isinstance(names, dict):
            rules = [*result.get("x-kubernetes-validations", []), *_of_keys(names)]
            result["x-kubernetes-validations"] = rules
    return result


def _of_keys(names: dict[str, Any]) -> list[dict[str, Any]]:
    """Rules of a map's keys, as rules of the map: a structural schema says nothing of keys."""
    size = f"self.all(key, key.size() <= {names['maxLength']})"
    return [
        {"rule": size, "message": f"keys have at most {names['maxLength']} characters", "reason": "FieldValueInvalid"},
        *(
            {**r, "rule": f"self.all(key, {r['rule'].replace('self.', 'key.')})"}
            for r in names["x-kubernetes-validations"]
        ),
    ]


def unbounded(schema: dict[str, Any], path: str) -> list[str]:
    """What lacks a bound or a description: the API server estimates the cost of rules from bounds."""
    problems = []
    match schema.get("type"):
        case "string" if not ({"maxLength", "enum"} & schema.keys()) and schema.get("format") != "date-time":
            problems.append(f"{path} has no maxLength")
        case "array" if "maxItems" not in schema:
            problems.append(f"{path} has no maxItems")
        case "object" if "additionalProperties" in schema and "maxProperties" not in schema:
            problems.append(f"{path} has no maxProperties")
        case None if not schema.get("x-kubernetes-preserve-unknown-fields"):
            problems.append(f"{path} has no type")
    for name, inner in (schema.get("properties") or {}).items():
        if not inner.get("description"):
            problems.append(f"{path}.{name} has no description")
        problems += unbounded(inner, f"{path}.{name}")
    if "items" in schema:
        problems += unbounded(schema["items"], f"{path}[]")
    if "additionalProperties" in schema:
        problems += unbounded(schema["additionalProperties"], f"{path}{{}}")
    return problems
