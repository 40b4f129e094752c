"""What every member of the union says of itself; the rest of the kind knows members by this only."""

from abc import abstractmethod
from typing import Annotated, ClassVar

from pydantic.alias_generators import to_camel

from integration_operator.core.model import Matching, Model, Rule

Host = Annotated[
    str,
    Matching(
        r"^([a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*\.?|[0-9a-fA-F:]*:[0-9a-fA-F:.]*)$",
        "write a host name in lower case or an IP address, as db.example.com: no scheme, port or path",
    ),
]


class Member(Model):
    """A sort of outside system. Its name in the union is the name of its probe, and the `type` of its binding."""

    credentials: ClassVar[tuple[str, ...]]
    """Fields of Credentials that it takes."""
    named_by_certificate: ClassVar[bool] = False
    """Whether a client certificate alone says which user connects."""
    rules_of_spec: ClassVar[tuple[Rule, ...]] = ()
    """What else must hold of a connection with this member."""

    @property
    @abstractmethod
    def address(self) -> tuple[str, int]:
        """Host and port."""

    @abstractmethod
    def uri(self, encrypted: bool) -> str:
        """Where it is, as its clients write it: without credentials."""

    def encrypted(self, wanted: bool) -> bool:
        """Whether TLS is used, where tls.mode says that it is `wanted` or not."""
        return wanted

    def entries(self) -> dict[str, str]:
        """Further entries of the binding, by their field of core.binding.Binding."""
        return {}

    @property
    def authority(self) -> str:
        """Host and port, as they stand in a URI."""
        host, port = self.address
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def rules_of(name: str, member: type[Member]) -> tuple[Rule, ...]:
    """What must hold of a connection whose member of that name is set."""
    names = [to_camel(c) for c in member.credentials]
    listed = f"{', '.join(names[:-1])} or {names[-1]}" if len(names) > 1 else names[0]
    takes = Rule(
        f"!has(self.credentials) || !has(self.{name}) || " + " || ".join(f"has(self.credentials.{n})" for n in names),
        f"{name} takes credentials.{listed}" + " (or a client certificate alone)" * member.named_by_certificate,
        lambda s: (
            not s.credentials
            or getattr(s, name) is None
            or any(getattr(s.credentials, c) is not None for c in member.credentials)
        ),
        ".credentials",
    )
    return (takes, *member.rules_of_spec)
