"""Kubernetes quantities of bytes (`1Mi`), inside as an int."""

import re
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BeforeValidator, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

_UNITS = {"": 1, "k": 1000, "M": 1000**2, "G": 1000**3, "Ki": 1024, "Mi": 1024**2, "Gi": 1024**3}
_PATTERN = "^[1-9][0-9]{0,9}(k|M|G|Ki|Mi|Gi)?$"
_MESSAGE = "write a size as 512Ki, 1Mi or 2G: a whole number with k, M, G, Ki, Mi or Gi"


def parse_bytes(value: Any) -> int:
    """A size in bytes from its text."""
    if not isinstance(value, str) or not (found := re.fullmatch(_PATTERN[1:-1], value)):
        raise PydanticCustomError("quantity", "{message}", {"message": _MESSAGE})
    unit = found.group(1) or ""
    return int(value.removesuffix(unit) if unit else value) * _UNITS[unit]


class _Schema:
    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        rule = {"rule": f"self.matches('{_PATTERN}')", "message": _MESSAGE, "reason": "FieldValueInvalid"}
        return {"type": "string", "minLength": 1, "maxLength": 16, "x-kubernetes-validations": [rule]}


Bytes = Annotated[int, BeforeValidator(parse_bytes), _Schema()]
"""A size in bytes."""


@dataclass(frozen=True)
class AtMost:
    """The largest size that is taken, inclusive."""

    most: str

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self._check, handler(source))

    def _check(self, value: int) -> int:
        if value > parse_bytes(self.most):
            raise PydanticCustomError("quantity", "{message}", {"message": self._message})
        return value

    @property
    def _message(self) -> str:
        return f"must be at most {self.most}"

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        json_schema = handler(schema)
        cel = f"!self.matches('{_PATTERN}') || quantity(self).compareTo(quantity('{self.most}')) <= 0"
        rule = {"rule": cel, "message": self._message, "reason": "FieldValueInvalid"}
        json_schema["x-kubernetes-validations"] = [*json_schema["x-kubernetes-validations"], rule]
        return json_schema
