"""Strings with a grammar: names, hosts, URLs, keys and labels."""

import re
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any

from pydantic import Field, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError, core_schema


def fits(pattern: str, value: str) -> bool:
    """As RE2 has it: classes are ASCII, and `$` is the very end, where Python's would let a last line break through."""
    return _compiled(pattern).search(value) is not None


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern.removesuffix("$") + r"\Z", re.ASCII)


@dataclass(frozen=True)
class Matching:
    """A string (`least` to `limit` characters) that matches a pattern; the message says what to write instead."""

    pattern: str
    message: str
    limit: int = 253
    least: int = 1

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self._check, handler(source))

    def _check(self, value: str) -> str:
        if not self.least <= len(value) <= self.limit or not fits(self.pattern, value):
            raise PydanticCustomError("matching", "{message}", {"message": self.message})
        return value

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        quoted = self.pattern.replace("\\", "\\\\").replace("'", "\\'")
        rule = {"rule": f"self.matches('{quoted}')", "message": self.message, "reason": "FieldValueInvalid"}
        return {
            "type": "string",
            "minLength": self.least,
            "maxLength": self.limit,
            "x-kubernetes-validations": [rule],
        }


_LABEL = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
Name = Annotated[
    str,
    Matching(
        rf"^{_LABEL}(\.{_LABEL})*$",
        "write an object name: lower-case letters, digits, '-' and '.', beginning and ending with a letter or digit",
    ),
]
Namespace = Annotated[
    str,
    Matching(rf"^{_LABEL}$", "write a namespace: lower-case letters, digits and '-'", limit=63),
]
Hostname = Annotated[
    str,
    Matching(
        rf"^{_LABEL}(\.{_LABEL})*$",
        "write a DNS host name in lower case, as api.example.com: no scheme, port, path or IP address",
    ),
]
DataKey = Annotated[
    str,
    Matching(r"^[-._a-zA-Z0-9]+$", "write a key of the Secret or ConfigMap: letters, digits, '-', '_' and '.'"),
]
PORT_IN_URL = r"(:([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5]))?"
"""A colon and a port from 1 to 65535, or nothing."""
HttpsOrHttpUrl = Annotated[
    str,
    Matching(
        rf"^https?://[a-zA-Z0-9]([-a-zA-Z0-9.]*[a-zA-Z0-9])?{PORT_IN_URL}(/[^\s\x00-\x1f\x7f?#@]*)?$",
        "write an absolute URL, as https://api.example.com/v2: http or https, no user, password, query or fragment",
        limit=2048,
    ),
]
Port = Annotated[int, Field(ge=1, le=65535, json_schema_extra={"format": "int32"})]


LabelKey = Annotated[
    str,
    Matching(
        r"^([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$",
        "write a label as app or app.kubernetes.io/name: letters, digits, '-', '_' and '.', at most 63 after the '/'",
        limit=317,
    ),
]
LabelValue = Annotated[
    str,
    Matching(
        r"^([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?$",
        "write a label value: at most 63 letters, digits, '-', '_' and '.', the first and last a letter or digit",
        limit=63,
        least=0,
    ),
]
LabelMap = Annotated[dict[LabelKey, LabelValue], Field(max_length=64)]
