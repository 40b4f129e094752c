"""Keycloak from Maven Central, as an OAuth 2.0 server: prepared once, then started with a realm as JSON."""

import json
import os
import shutil
import ssl
import tempfile
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import httpx

from dev.build import locked
from dev.controlplane import free_ports
from dev.pki import Authority
from dev.processes import run
from dev.systems.base import System, install, program
from dev.versions import CACHE, KEYCLOAK

ADMIN, PASSWORD = "admin", "admin"
REALM = "integration"
JAVA = {"java": "openjdk-17-jre-headless", "mvn": "maven"}
BUILT = ("--db=dev-file", "--health-enabled=false", "--metrics-enabled=false")
"""What `kc.sh build` fixes for all later starts: a database in a file."""
JVM = (
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-Xms64m",
    "-Xmx512m",
    "-Dfile.encoding=UTF-8",
    "-Djava.util.concurrent.ForkJoinPool.common.threadFactory="
    "io.quarkus.bootstrap.forkjoin.QuarkusForkJoinWorkerThreadFactory",
    *(f"--add-opens=java.base/java.util{part}=ALL-UNNAMED" for part in ("", ".concurrent")),
    "--add-opens=java.base/java.security=ALL-UNNAMED",
)
"""As `kc.sh` has it, but for a quick start rather than for throughput."""


@dataclass(frozen=True)
class Client:
    """A confidential client that asks for tokens in its own name."""

    id: str
    secret: str
    token_seconds: int = 300

    def representation(self) -> dict[str, Any]:
        """As the realm's JSON has it."""
        return {
            "clientId": self.id,
            "secret": self.secret,
            "enabled": True,
            "publicClient": False,
            "standardFlowEnabled": False,
            "serviceAccountsEnabled": True,
            "attributes": {"access.token.lifespan": str(self.token_seconds)},
        }


class Keycloak(System):
    """One server with the realm `integration`; `admin` speaks its admin API."""

    name = "keycloak"
    packages: ClassVar = JAVA
    seconds = 300

    def __init__(
        self,
        home: Path,
        authority: Authority,
        address: str = "127.0.0.1",
        names: Sequence[str] = (),
        port: int = 0,
        *,
        clients: Sequence[Client] = (),
    ) -> None:
        super().__init__(home, authority, address, names)
        free = free_ports(2)
        self.port, self._management = port or free[0], free[1]
        self._clients = tuple(clients)
        self._trust = ssl.create_default_context(cafile=str(authority.ca))
        self.url = f"https://{address}:{self.port}"
        # What its tokens and its discovery say, wherever it is asked.
        self._public = f"https://{names[0]}:{self.port}" if names else self.url
        self.issuer = f"{self.url}/realms/{REALM}"
        self.token_url = f"{self.issuer}/protocol/openid-connect/token"

    def launch(self) -> None:
        """A directory that shares all but its data with the prepared one; then start."""
        if self.processes.alive(self.name):
            return
        prepared = prepare()
        for part in ("lib", "conf", "themes", "providers", "bin"):
            (self.home / part).unlink(missing_ok=True)
            (self.home / part).symlink_to(prepared / part)
        if not (self.home / "data" / "h2").exists():
            shutil.copytree(prepared / "data" / "h2", self.home / "data" / "h2")
        realm = self.home / "data" / "import" / f"{REALM}.json"
        realm.parent.mkdir(parents=True, exist_ok=True)
        clients = [client.representation() for client in self._clients]
        realm.write_text(json.dumps({"realm": REALM, "enabled": True, "sslRequired": "all", "clients": clients}))
        crt, key = self.certificate()
        options = {
            "cache": "local",
            "hostname": self._public,
            "http-host": self.address,
            "https-port": self.port,
            "http-management-host": "127.0.0.1",
            "http-management-port": self._management,
            "https-certificate-file": crt,
            "https-certificate-key-file": key,
        }
        arguments = [f"--{name}={value}" for name, value in options.items()]
        command = [*_java(self.home), "start", "--optimized", "--import-realm", *arguments]
        self.processes.start(self.name, command)

    def answers(self) -> bool:
        """Whether the realm is there."""
        try:
            with self._http() as http:
                return http.get(f"{self.issuer}/.well-known/openid-configuration").is_success
        except httpx.HTTPError:
            return False

    def admin(self, method: str, path: str, body: Any = None) -> Any:
        """One request to the realm's admin API (`/clients`, …); the parsed answer, None where it is empty."""
        form = {"grant_type": "password", "client_id": "admin-cli", "username": ADMIN, "password": PASSWORD}
        with self._http() as http:
            login = http.post(f"{self.url}/realms/master/protocol/openid-connect/token", data=form)
            headers = {"Authorization": f"Bearer {login.raise_for_status().json()['access_token']}"}
            answer = http.request(method, f"{self.url}/admin/realms/{REALM}{path}", json=body, headers=headers)
            answer.raise_for_status()
        return answer.json() if answer.content else None

    def change(self, client: str, **fields: Any) -> None:
        """Change a client: `enabled=False`, `secret="…"`, `attributes={…}`."""
        (found,) = self.admin("GET", f"/clients?clientId={client}")
        self.admin("PUT", f"/clients/{found['id']}", {**found, **fields})

    def active(self, client: Client, token: str) -> bool:
        """Whether the server itself still takes a token (RFC 7662)."""
        form = {"token": token, "client_id": client.id, "client_secret": client.secret}
        with self._http() as http:
            answer = http.post(f"{self.token_url}/introspect", data=form)
        return bool(answer.raise_for_status().json()["active"])

    def _http(self) -> httpx.Client:
        return httpx.Client(verify=self._trust, timeout=30, trust_env=False)


def _java(home: Path) -> list[str | Path]:
    """What `kc.sh` runs at last: the process itself, which can so be ended by its own id."""
    main = "io.quarkus.bootstrap.runner.QuarkusEntryPoint"
    properties = [f"-Dkc.home.dir={home}", f"-Djboss.server.config.dir={home / 'conf'}", "-Dkc.config.built=true"]
    return [program("java"), *JVM, *properties, "-cp", home / "lib" / "quarkus-run.jar", main]


def prepare() -> Path:
    """Fetch, unpack and build it, and make its first database, once; where it then is."""
    target = CACHE / f"keycloak-{KEYCLOAK}-with-database"
    if target.exists():
        return target
    install(JAVA)
    with locked("keycloak"):
        if not target.exists():
            _prepare(target)
    return target


def _prepare(target: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="keycloak-", dir=CACHE) as folder:
        work = Path(folder)
        artifact = f"org.keycloak:keycloak-quarkus-dist:{KEYCLOAK}:zip"
        run(
            [program("mvn"), "-q", "-B", "dependency:copy", f"-Dartifact={artifact}", f"-DoutputDirectory={work}"],
            cwd=work,
        )
        with zipfile.ZipFile(work / f"keycloak-quarkus-dist-{KEYCLOAK}.zip") as archive:
            archive.extractall(work)
        unpacked = work / f"keycloak-{KEYCLOAK}"
        run(["bash", unpacked / "bin" / "kc.sh", "build", *BUILT])
        # This makes the tables and the realm of administrators too, which is most of what a first start does.
        admin = ["bootstrap-admin", "user", "--optimized", "--no-prompt", f"--username={ADMIN}"]
        run([*_java(unpacked), *admin, "--password:env=PASSWORD"], env={**os.environ, "PASSWORD": PASSWORD})
        unpacked.rename(target)
