"""The outside systems that the examples name, as processes of this machine: to the cluster they are what they are."""

import json
import secrets
import shutil
from base64 import b64encode
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import nkeys

from dev import build, clusters
from dev.pki import Authority
from dev.processes import Processes
from dev.systems.keycloak import Client, Keycloak
from dev.systems.nats import Access, Nats
from dev.systems.postgresql import Postgresql
from dev.versions import CACHE

NAMESPACES = ("shop", "finance", "identity")
USER, DATABASE, CLIENT = "orders", "orders", "billing"


class Outside:
    """PostgreSQL, NATS, an OAuth 2.0 server and a partner's HTTPS API, at `*.outside.test`; kept below `home`."""

    def __init__(self, home: Path, address: str) -> None:
        self.home, self._file = home, home / "secrets.json"
        home.mkdir(parents=True, exist_ok=True)
        authority = Authority(home / "pki", "outside CA")
        self.ca = authority.ca.read_text()
        self.secrets = self._secrets()
        names = {n: [f"{n}.outside.test"] for n in ("postgres", "nats", "oauth", "billing")}
        self.postgresql = Postgresql(home / "postgresql", authority, address, names["postgres"], 15432)
        public = nkeys.from_seed(self.secrets["nkey"].encode()).public_key.decode()
        access = Access(nkeys=(public,))
        self.nats = Nats(home / "nats", authority, address, names["nats"], 14222, access=access, jetstream=True)
        client = Client(CLIENT, self.secrets["client"])
        self.keycloak = Keycloak(home / "keycloak", authority, address, names["oauth"], 18444, clients=[client])
        self._partner = Processes(home / "partner")
        self._certificate = authority.issue("partner", "billing.outside.test", hosts=names["billing"])
        self._listen = f"{address}:18443"

    def start(self) -> None:
        """Bring up what does not run, all at once."""
        with ThreadPoolExecutor() as pool:
            list(pool.map(lambda action: action(), (self.keycloak.start, self.nats.start, self._database, self._api)))

    def stop(self) -> None:
        """End all of it and remove its data."""
        for system in (self.keycloak, self.nats, self.postgresql):
            system.stop()
        self._partner.stop("partner")
        shutil.rmtree(self.home, ignore_errors=True)

    def _database(self) -> None:
        self.postgresql.start()
        if not self.postgresql.sql(f"SELECT 1 FROM pg_database WHERE datname = '{DATABASE}'"):
            self.postgresql.database(DATABASE)
            self.postgresql.user(USER, self.secrets["password"], DATABASE)

    def _api(self) -> None:
        build.ensure("echo")
        crt, key = self._certificate
        environment = {"LISTEN": self._listen, "TLS_CERT": str(crt), "TLS_KEY": str(key), "ECHO_NAME": "partner"}
        self._partner.start("partner", [build.BINARIES["echo"]], env=environment)

    def _secrets(self) -> dict[str, str]:
        if self._file.exists():
            return dict(json.loads(self._file.read_text()))
        seed = nkeys.encode_seed(secrets.token_bytes(32), nkeys.PREFIX_BYTE_USER).decode()
        made = {"password": secrets.token_urlsafe(24), "client": secrets.token_urlsafe(24), "nkey": seed}
        self.remember(**made)
        return made

    def remember(self, **changed: str) -> None:
        """Keep secrets for the next time that the same systems are started."""
        known = json.loads(self._file.read_text()) if self._file.exists() else {}
        self._file.touch(mode=0o600)
        self._file.write_text(json.dumps({**known, **changed}))

    def give(self, cluster: clusters.Cluster) -> None:
        """Namespaces, and in them the Secrets and ConfigMaps that the examples refer to."""
        given: list[dict[str, Any]] = []
        for namespace in NAMESPACES:
            cluster.kubectl("apply", "-f", "-", stdin=json.dumps(_namespace(namespace)))
            meta = {"name": "partner-ca", "namespace": namespace}
            given.append({"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": {"ca.crt": self.ca}})
        given += [
            secret("shop", "orders-db", username=USER, password=self.secrets["password"]),
            secret("shop", "hub-nkey", seed=self.secrets["nkey"]),
            secret("finance", "billing-client", id=CLIENT, secret=self.secrets["client"]),
        ]
        # Server-side: a client-side apply would copy each Secret into an annotation.
        apply = ("apply", "--server-side", "--force-conflicts", "-f", "-")
        cluster.kubectl(*apply, stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": given}))


def _namespace(name: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}


def secret(namespace: str, name: str, **texts: str) -> dict[str, Any]:
    """A Secret of texts."""
    data = {k: b64encode(v.encode()).decode() for k, v in texts.items()}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "namespace": namespace}, "data": data}


def of(name: str) -> Outside:
    """Those of the cluster of a name."""
    return Outside(CACHE / "outside" / name, clusters.choose(name).host_address())
