"""What every part of a spec is made of: validation rules with two faces.

A rule is written once and has two faces: the CEL that the API server checks (with the message a user reads)
and the Python that `kubectl integrations plan` and the operator check. They stand side by side on purpose.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, GetJsonSchemaHandler, model_validator
from pydantic.alias_generators import to_camel
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError


@dataclass(frozen=True)
class Rule:
    """One validation rule of a model: CEL for the API server, `check` for Python (None: only the server can tell)."""

    cel: str
    message: str
    check: Callable[[Any], bool] | None = None
    field_path: str | None = None
    reason: Literal["FieldValueInvalid", "FieldValueForbidden", "FieldValueRequired"] = "FieldValueInvalid"
    """FieldValueDuplicate is left out: with it the API server drops the message."""

    def schema(self) -> dict[str, Any]:
        """An entry of `x-kubernetes-validations`."""
        entry: dict[str, Any] = {"rule": self.cel, "message": self.message, "reason": self.reason}
        if self.field_path:
            entry["fieldPath"] = self.field_path
        return entry


class Model(BaseModel):
    """A part of a spec or status: camelCase outside, unknown fields refused, types taken strictly, immutable."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="forbid", strict=True, frozen=True)
    rules: ClassVar[tuple[Rule, ...]] = ()
    _keyed: ClassVar[tuple[tuple[str, tuple[str, ...]], ...]] = ()
    """Lists without duplicates (x-kubernetes-list-type set or map), with their keys."""

    @classmethod
    def __pydantic_init_subclass__(cls, **_: Any) -> None:
        extras = {name: field.json_schema_extra for name, field in cls.model_fields.items()}
        cls._keyed = tuple(
            (name, tuple(extra.get("x-kubernetes-list-map-keys") or ()))  # type: ignore[arg-type]
            for name, extra in extras.items()
            if isinstance(extra, dict) and extra.get("x-kubernetes-list-type") in ("set", "map")
        )

    @model_validator(mode="after")
    def _hold_rules(self) -> Self:
        for name, keys in type(self)._keyed:
            values = [{k: getattr(item, k) for k in keys} if keys else item for item in getattr(self, name)]
            if twice := next((v for i, v in enumerate(values) if v in values[:i]), None):
                raise PydanticCustomError("duplicate", "{message}", {"message": f"Duplicate value: {_compact(twice)}"})
        for rule in type(self).rules:
            if rule.check is not None and not rule.check(self):
                raise PydanticCustomError("rule", "{message}", {"message": rule.message})
        return self

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        json_schema = handler.resolve_ref_schema(handler(schema))
        if cls.rules:
            json_schema["x-kubernetes-validations"] = [rule.schema() for rule in cls.rules]
        return json_schema


def _compact(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def exactly_one(*fields: str) -> Rule:
    """The union rule: one member and no other."""
    names = [to_camel(f) for f in fields]
    return Rule(
        cel=f"[{', '.join(f'has(self.{n})' for n in names)}].filter(x, x).size() == 1",
        message=f"exactly one of {', '.join(names)} must be set",
        check=lambda m: sum(getattr(m, f) is not None for f in fields) == 1,
    )


def immutable(field: str, why: str) -> Rule:
    """A field that can't change once set; `why` ends the sentence, saying what to do instead."""
    name = to_camel(field)
    return Rule(
        cel=f"has(oldSelf.{name}) == has(self.{name}) && (!has(self.{name}) || self.{name} == oldSelf.{name})",
        message=f"{name} can't be changed: {why}",
        field_path=f".{name}",
        reason="FieldValueForbidden",
    )
