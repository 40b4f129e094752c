"""An HTTP API, as a member."""

from typing import ClassVar
from urllib.parse import urlsplit

from pydantic import Field

from integration_operator.core.model import HttpsOrHttpUrl, Rule
from integration_operator.kinds.service_connection.members.base import Member


class Http(Member):
    """An HTTP API."""

    credentials: ClassVar = ("basic", "bearer", "api_key", "oauth2_client_credentials")
    rules_of_spec: ClassVar = (
        Rule(
            "!has(self.http) || self.http.url.startsWith('https://') || self.allowInsecure",
            "http:// sends everything in plain text: write https://, or allow it with allowInsecure: true",
            lambda s: not s.http or s.http.url.startswith("https://") or s.allow_insecure,
            ".http.url",
            "FieldValueForbidden",
        ),
        Rule(
            "!has(self.http) || !has(self.tls) || self.tls.mode != 'Disable'",
            "for http the URL says it: write http:// for plain text, and no tls.mode",
            lambda s: not s.http or not s.tls or s.tls.mode != "Disable",
            ".tls",
        ),
        Rule(
            "!has(self.healthCheck) || !has(self.healthCheck.http) || has(self.http)",
            "healthCheck.http goes with http",
            lambda s: not s.health_check or not s.health_check.http or s.http is not None,
            ".healthCheck.http",
        ),
    )
    url: HttpsOrHttpUrl = Field(description="Base URL.")

    @property
    def address(self) -> tuple[str, int]:
        """See Member."""
        parts = urlsplit(self.url)
        return parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)

    def uri(self, encrypted: bool) -> str:
        """See Member."""
        return self.url

    def encrypted(self, wanted: bool) -> bool:
        """See Member: its scheme decides."""
        return self.url.startswith("https://")
