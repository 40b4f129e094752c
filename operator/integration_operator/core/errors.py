"""The error tree. Each class knows its reason and whether trying again can help.

IntegrationError
├── UserError          what the user must change: a condition, then wait for a change
│   ├── Invalid            the object breaks a rule that the API server could not check
│   ├── TakenOutside       a thing of that name in the outside system is another's
│   └── Refused            the cluster refused what was planned
│       ├── QuotaExceeded      a ResourceQuota has no room for it; tried again, since others make room
│       └── DeniedByAdmission  a policy or webhook of the cluster denied it; tried again, since policies change
└── PassingError       what time may mend: back-off
    ├── Unavailable        the API server or an outside system did not answer
    ├── Conflict           somebody else wrote first
    ├── Forbidden          the operator's own rights do not suffice
    └── NotLeading         this replica may not write now
"""

from typing import ClassVar


class IntegrationError(Exception):
    """Anything that a reconcile may end with; never carries a secret or a traceback in its text."""

    reason: ClassVar[str] = "Error"
    retry: ClassVar[bool] = True
    retry_after: float | None = None
    """Seconds that the other side asked us to wait, if it did."""


class UserError(IntegrationError):
    """Only a change of an object helps."""

    retry: ClassVar[bool] = False


class Invalid(UserError):
    """The object breaks a rule that the API server could not check."""

    reason: ClassVar[str] = "Invalid"


class TakenOutside(UserError):
    """A thing of that name in the outside system is another's."""

    reason: ClassVar[str] = "TakenOutside"


class Refused(UserError):
    """The cluster refused what was planned."""

    reason: ClassVar[str] = "RefusedByCluster"


class QuotaExceeded(Refused):
    """A ResourceQuota of the namespace has no room for it."""

    reason: ClassVar[str] = "QuotaExceeded"
    retry: ClassVar[bool] = True


class DeniedByAdmission(Refused):
    """A policy, a Pod Security Standard or a webhook of the cluster denied it."""

    reason: ClassVar[str] = "DeniedByAdmission"
    retry: ClassVar[bool] = True


class PassingError(IntegrationError):
    """Trying again may help."""


class Unavailable(PassingError):
    """The other side did not answer, or said that it can't now."""

    reason: ClassVar[str] = "Unavailable"


class Conflict(PassingError):
    """Somebody else wrote first."""

    reason: ClassVar[str] = "Conflict"


class Forbidden(PassingError):
    """The operator's own rights do not suffice."""

    reason: ClassVar[str] = "Forbidden"


class NotLeading(PassingError):
    """This replica may not write now."""

    reason: ClassVar[str] = "NotLeading"
