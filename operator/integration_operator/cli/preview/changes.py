"""What a comparison with a cluster finds."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Change:
    """One child that would be created, updated or deleted; the difference as a unified diff."""

    action: str
    kind: str
    namespace: str
    name: str
    diff: str


@dataclass
class Comparison:
    """All changes, what stands in their way, and what could not be asked."""

    changes: list[Change] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    unasked: set[str] = field(default_factory=set)
    """Kinds for which the API server was not asked, for want of rights."""
