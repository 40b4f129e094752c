"""The members of ServiceConnection's union: a module for each, and a line in the table below."""

from typing import get_args

from pydantic import Field

from integration_operator.core.model import Model, Rule, exactly_one
from integration_operator.kinds.service_connection.members.base import Member, rules_of
from integration_operator.kinds.service_connection.members.http import Http
from integration_operator.kinds.service_connection.members.nats import Nats
from integration_operator.kinds.service_connection.members.postgresql import Postgresql


class Members(Model):
    """The table: exactly one of these is set, and says what sort of system it is."""

    http: Http | None = Field(default=None, description="An HTTP API.")
    postgresql: Postgresql | None = Field(default=None, description="A PostgreSQL database.")
    nats: Nats | None = Field(default=None, description="A NATS server.")

    @property
    def member(self) -> tuple[str, Member]:
        """The one that is set, with its name."""
        return next((name, found) for name in NAMES if (found := getattr(self, name)) is not None)


NAMES = tuple(Members.model_fields)


def _class_of(name: str) -> type[Member]:
    """The type that the table gives a member."""
    found: type[Member] = get_args(Members.model_fields[name].annotation)[0]
    return found


RULES: tuple[Rule, ...] = (
    exactly_one(*NAMES),
    *(rule for name in NAMES for rule in rules_of(name, _class_of(name))),
    Rule(
        " && ".join(f"has(self.{name}) == has(oldSelf.{name})" for name in NAMES),
        "the type of a connection can't be changed: make another ServiceConnection",
        reason="FieldValueForbidden",
    ),
)
"""What must hold of a connection's spec because of its member."""
