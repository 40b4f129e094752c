"""A PostgreSQL database, as a member."""

from typing import Annotated, ClassVar
from urllib.parse import quote

from pydantic import Field

from integration_operator.core.model import Matching, Port
from integration_operator.kinds.service_connection.members.base import Host, Member


class Postgresql(Member):
    """A PostgreSQL database."""

    credentials: ClassVar = ("basic",)
    named_by_certificate: ClassVar = True
    host: Host = Field(description="Host name or IP address.")
    port: Port = Field(default=5432, description="Port.")
    database: Annotated[
        str,
        Matching(r"^[^\x00-\x1f/\\]+$", "write the name of one database, without '/' or control characters", limit=63),
    ] = Field(description="Database.")

    @property
    def address(self) -> tuple[str, int]:
        """See Member."""
        return self.host, self.port

    def uri(self, encrypted: bool) -> str:
        """A connection URI of libpq, which without `sslmode` would fall back to plain text."""
        mode = "verify-full" if encrypted else "disable"
        return f"postgresql://{self.authority}/{quote(self.database, safe='')}?sslmode={mode}"

    def entries(self) -> dict[str, str]:
        """See Member."""
        return {"database": self.database}
