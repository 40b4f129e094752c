"""A NATS server, as a member."""

from typing import ClassVar

from pydantic import Field

from integration_operator.core.model import Port
from integration_operator.kinds.service_connection.members.base import Host, Member


class Nats(Member):
    """A NATS server."""

    credentials: ClassVar = ("basic", "bearer", "nkey")
    host: Host = Field(description="Host name or IP address.")
    port: Port = Field(default=4222, description="Port.")

    @property
    def address(self) -> tuple[str, int]:
        """See Member."""
        return self.host, self.port

    def uri(self, encrypted: bool) -> str:
        """See Member."""
        return f"{'tls' if encrypted else 'nats'}://{self.authority}"
