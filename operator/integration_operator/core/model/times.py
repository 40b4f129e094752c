"""Instants (RFC 3339) and durations in Go style."""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any

from pydantic import AwareDatetime, BeforeValidator, Field, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from integration_operator.core.model.text import fits

_RFC3339 = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?(Z|[+-][0-9]{2}:[0-9]{2})$"


def parse_time(value: Any) -> datetime:
    """An instant from its RFC 3339 text."""
    if isinstance(value, datetime):
        return value
    try:
        if isinstance(value, str) and fits(_RFC3339, value):
            return datetime.fromisoformat(value)
    except ValueError:
        pass
    raise PydanticCustomError("time", "write a time with its zone, as 2027-03-01T00:00:00Z")


Time = Annotated[AwareDatetime, Field(json_schema_extra={"format": "date-time"}), BeforeValidator(parse_time)]
"""An instant, as RFC 3339 text."""

_GO_DURATION = r"^([0-9]{1,9}(\.[0-9]{1,9})?(h|m|s|ms))+$"
_GO_UNIT = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}


def parse_duration(value: Any) -> timedelta:
    """A Go-style duration (`30s`, `1h30m`, `250ms`) as a timedelta; ISO 8601 gets a message that says so."""
    if isinstance(value, timedelta):
        return value
    if not isinstance(value, str) or len(value) > 32 or not fits(_GO_DURATION, value):
        raise PydanticCustomError("duration", "{message}", {"message": _DURATION_MESSAGE})
    return timedelta(
        seconds=sum(float(n) * _GO_UNIT[unit] for n, _, unit in re.findall(r"([0-9]+(\.[0-9]+)?)(ms|h|m|s)", value))
    )


_DURATION_MESSAGE = "write a duration in Go style, as 30s, 5m or 1h30m (not ISO 8601 as PT30S)"


@dataclass(frozen=True)
class Between:
    """Bounds of a duration, both inclusive, in Go style."""

    least: str
    most: str

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self._check, handler(source))

    def _check(self, value: timedelta) -> timedelta:
        if not parse_duration(self.least) <= value <= parse_duration(self.most):
            raise PydanticCustomError("duration", "{message}", {"message": self.message})
        return value

    @property
    def message(self) -> str:
        """What a user reads when the bounds don't hold."""
        return f"must be between {self.least} and {self.most}"

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        json_schema = handler(schema)
        cel = (
            f"!self.matches('{_CEL_DURATION}') || "
            f"(duration(self) >= duration('{self.least}') && duration(self) <= duration('{self.most}'))"
        )
        json_schema["x-kubernetes-validations"] = [
            *json_schema.get("x-kubernetes-validations", []),
            {"rule": cel, "message": self.message, "reason": "FieldValueInvalid"},
        ]
        return json_schema


_CEL_DURATION = _GO_DURATION.replace("\\", "\\\\")


class _DurationSchema:
    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        rule = {
            "rule": f"self.matches('{_CEL_DURATION}')",
            "message": _DURATION_MESSAGE,
            "reason": "FieldValueInvalid",
        }
        return {"type": "string", "minLength": 2, "maxLength": 32, "x-kubernetes-validations": [rule]}


Duration = Annotated[timedelta, BeforeValidator(parse_duration), _DurationSchema()]
"""A Go-style duration; seconds and parts of it inside."""


def format_duration(value: timedelta) -> str:
    """The Go style of a duration, in the largest unit that needs no fraction."""
    milliseconds = round(value.total_seconds() * 1000)
    for unit, size in (("h", 3_600_000), ("m", 60_000), ("s", 1000)):
        if milliseconds and milliseconds % size == 0:
            return f"{milliseconds // size}{unit}"
    return f"{milliseconds}ms"
