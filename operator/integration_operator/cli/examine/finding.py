"""What an examination finds."""

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from enum import StrEnum
from functools import wraps
from typing import Any

from integration_operator.cli.installation import Installation
from integration_operator.core.errors import Forbidden
from integration_operator.core.ports import Environment
from integration_operator.engine.cluster import Cluster


class Level(StrEnum):
    """How bad it is."""

    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at: how it is, and what to do where it is not as it should be."""

    level: Level
    what: str
    do: str = ""


def ok(what: str) -> Finding:
    """As it should be."""
    return Finding(Level.OK, what)


def warning(what: str, do: str) -> Finding:
    """Worth knowing, or not to be found out."""
    return Finding(Level.WARNING, what, do)


def problem(what: str, do: str) -> Finding:
    """Something does not work because of it."""
    return Finding(Level.PROBLEM, what, do)


@dataclass(frozen=True)
class Patient:
    """The cluster that is examined, and how the operator is installed in it."""

    cluster: Cluster
    installations: tuple[Installation, ...]
    unseen: str = ""
    """Why installations could not be looked for."""

    @property
    def environment(self) -> Environment:
        """The operator's; its defaults where it is not there."""
        return self.installations[0].settings.environment if self.installations else Environment()


Examination = Callable[[Patient], Coroutine[Any, Any, list[Finding]]]


def examination(what: str) -> Callable[[Examination], Examination]:
    """A part that may be forbidden to look at without spoiling the rest."""

    def tolerant(examine: Examination) -> Examination:
        @wraps(examine)
        async def examined(patient: Patient) -> list[Finding]:
            try:
                return await examine(patient)
            except Forbidden as error:
                return [warning(f"{what}: not examined, {error}", "ask with an account that may read it")]

        return examined

    return tolerant
