"""A custom resource as it is read, and what every status has."""

from datetime import datetime
from typing import Annotated, Any, Generic, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticCustomError

from integration_operator.core.model.rules import Model

GROUP = "integration.threehorizons.io"
VERSION = "v1alpha1"
API_VERSION = f"{GROUP}/{VERSION}"
MANAGER = "integration-operator"
"""The field manager of everything that the operator applies."""

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


class ExternalRecord(Model):
    """Something of this object's in an outside system."""

    driver: Annotated[str, Field(max_length=63)] = Field(description="The driver that keeps it.")
    system: Annotated[str, Field(max_length=317)] = Field(default="", description="The system that it is in.")
    key: Annotated[str, Field(max_length=1024)] = Field(description="Its name there.")
    delete: bool = Field(default=False, description="Whether it is deleted with the object.")


class ExternalStatus(Status):
    """The status of a kind whose plans have something in outside systems."""

    external: Annotated[list[ExternalRecord], Field(max_length=1024)] = Field(
        default_factory=list, description="What may exist in outside systems because of this object."
    )
