"""What every resource is made of: metadata, spec, references, durations, names.

A rule is written once and has two faces: the CEL that the API server checks (with the message a user reads)
and the Python that `kubectl integrations plan` and the operator check. They stand side by side on purpose.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any, ClassVar, Generic, Literal, Self, TypeVar

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    model_validator,
)
from pydantic.alias_generators import to_camel
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

GROUP = "integration.threehorizons.io"
VERSION = "v1alpha1"
API_VERSION = f"{GROUP}/{VERSION}"
MANAGER = "integration-operator"
"""The field manager of everything that the operator applies."""


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


def _fits(pattern: str, value: str) -> bool:
    """As RE2 has it: classes are ASCII, and `$` is the very end, where Python's would let a last line break through."""
    return re.search(pattern.removesuffix("$") + r"\Z", value, re.ASCII) is not None


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
        if not self.least <= len(value) <= self.limit or not _fits(self.pattern, value):
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

_RFC3339 = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?(Z|[+-][0-9]{2}:[0-9]{2})$"


def parse_time(value: Any) -> datetime:
    """An instant from its RFC 3339 text."""
    if isinstance(value, datetime):
        return value
    try:
        if isinstance(value, str) and _fits(_RFC3339, value):
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
    if not isinstance(value, str) or len(value) > 32 or not _fits(_GO_DURATION, value):
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


class LocalRef(Model):
    """An object of the same namespace, by name."""

    name: Name = Field(description="Name of the object, in the same namespace.")


class Ref(Model):
    """An object by name, in another namespace only where its owner consents."""

    name: Name = Field(description="Name of the object.")
    namespace: Namespace | None = Field(
        default=None, description="Namespace of the object; this object's own when absent."
    )


class KeyRef(Model):
    """One entry of a Secret (or, where said, a ConfigMap) of the same namespace."""

    name: Name = Field(description="Name of the Secret.")
    key: DataKey = Field(description="Key in its data.")


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


class LabelRequirement(Model):
    """As `matchExpressions` of a Kubernetes label selector."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "(self.operator in ['In', 'NotIn']) == (has(self.values) && size(self.values) > 0)",
            "In and NotIn need values; Exists and DoesNotExist take none",
            lambda r: (r.operator in ("In", "NotIn")) == bool(r.values),
            ".values",
        ),
    )
    key: LabelKey = Field(description="The label.")
    operator: Literal["In", "NotIn", "Exists", "DoesNotExist"] = Field(description="How `values` are compared.")
    values: Annotated[list[LabelValue], Field(max_length=64)] = Field(
        default_factory=list, description="Values for In and NotIn."
    )


class LabelSelector(Model):
    """A Kubernetes label selector; all requirements must hold."""

    match_labels: LabelMap = Field(default_factory=dict, description="Labels that must be equal.")
    match_expressions: Annotated[list[LabelRequirement], Field(max_length=16)] = Field(
        default_factory=list, description="Further requirements."
    )

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether the labels satisfy every requirement; an empty selector matches all."""
        return all(labels.get(k) == v for k, v in self.match_labels.items()) and all(
            _holds(r, labels) for r in self.match_expressions
        )


def _holds(requirement: LabelRequirement, labels: Mapping[str, str]) -> bool:
    match requirement.operator:
        case "In":
            return labels.get(requirement.key) in requirement.values
        case "NotIn":
            return labels.get(requirement.key) not in requirement.values
        case "Exists":
            return requirement.key in labels
        case "DoesNotExist":
            return requirement.key not in labels


class AllowedNamespaces(Model):
    """The consent of an owner: whose objects may refer to this one."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            cel="(self.from == 'Selector') == has(self.selector)",
            message="selector goes with from: Selector, and only with it",
            check=lambda m: (m.from_ == "Selector") == (m.selector is not None),
        ),
    )
    from_: Literal["Same", "All", "Selector"] = Field(
        default="Same",
        alias="from",
        description="Same: only this namespace. All: any. Selector: by labels of the namespace.",
    )
    selector: LabelSelector | None = Field(default=None, description="Which namespaces, by their labels.")

    def permit(self, own: str, other: str, labels_of_other: Mapping[str, str]) -> bool:
        """Whether objects of namespace `other` may refer to an object in namespace `own`."""
        if own == other or self.from_ == "All":
            return True
        return self.from_ == "Selector" and self.selector is not None and self.selector.matches(labels_of_other)


NAME_LIMIT = 63
NAME_MESSAGE = f"a name has at most {NAME_LIMIT} characters: what is made for an object carries it as a label"


def _named(name: str) -> str:
    if len(name) > NAME_LIMIT:
        raise PydanticCustomError("name", "{message}", {"message": NAME_MESSAGE})
    return name


class Metadata(BaseModel):
    """The parts of `metadata` that decisions read."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="ignore", frozen=True)
    name: Annotated[str, AfterValidator(_named)]
    namespace: str = "default"
    uid: str = ""
    generation: int = 0
    resource_version: str = ""
    labels: dict[str, str] = Field(default_factory=dict)
    annotations: dict[str, str] = Field(default_factory=dict)
    creation_timestamp: datetime | None = None
    deletion_timestamp: datetime | None = None
    finalizers: list[str] = Field(default_factory=list)


SpecT = TypeVar("SpecT", bound=Model)


class Resource(BaseModel, Generic[SpecT]):
    """One custom resource as it was read: validated spec, raw status."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="ignore", frozen=True)
    api_version: str = API_VERSION
    kind: str
    metadata: Metadata
    spec: SpecT
    status: dict[str, Any] = Field(default_factory=dict)

    @property
    def name(self) -> str:
        """`metadata.name`."""
        return self.metadata.name

    @property
    def namespace(self) -> str:
        """`metadata.namespace`."""
        return self.metadata.namespace

    @property
    def deleting(self) -> bool:
        """Whether deletion was asked for."""
        return self.metadata.deletion_timestamp is not None


class ConditionStatus(Model):
    """A condition as Kubernetes writes it (metav1.Condition)."""

    type: Annotated[str, Field(max_length=316)] = Field(description="What is judged, in CamelCase.")
    status: Literal["True", "False", "Unknown"] = Field(description="The judgement.")
    reason: Annotated[str, Field(max_length=1024)] = Field(description="A stable CamelCase word for why.")
    message: Annotated[str, Field(max_length=32768)] = Field(default="", description="A sentence that says what to do.")
    last_transition_time: Annotated[str, Field(max_length=64, json_schema_extra={"format": "date-time"})] = Field(
        description="When status last changed."
    )
    observed_generation: Annotated[int, Field(ge=0, json_schema_extra={"format": "int64"})] = Field(
        default=0, description="The generation that was judged."
    )


class Status(Model):
    """What every status has; kinds add their own."""

    observed_generation: Annotated[int, Field(ge=0, json_schema_extra={"format": "int64"})] | None = Field(
        default=None, description="The newest generation that this status speaks of."
    )
    conditions: Annotated[
        list[ConditionStatus],
        Field(
            max_length=32,
            json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]},
        ),
    ] = Field(default_factory=list, description="What holds and what does not; `Ready` sums it up.")
