"""The demo: a cluster, the operator through its chart, real examples, real traffic; each step says what it shows."""

import json
import secrets
import shlex
import subprocess
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from rich.console import Console

from dev import clusters, outside, stack
from dev.processes import Failed
from dev.versions import KUBECTL, ROOT

console = Console(highlight=False)
EXAMPLES = ROOT / "examples"


class Demo:
    """Tells the story on the cluster of a name."""

    def __init__(self, name: str) -> None:
        self._name, self._began = name, time.monotonic()
        self._cluster = clusters.choose(name)

    def run(self) -> None:
        """From nothing to an integration that was seen to work, to fail, and to heal."""
        self._set_up()
        self._apply()
        self._call()
        self._lifecycle()
        self._partner()
        self._backend_stops()
        self._credential_is_revoked()
        self._next()

    def _set_up(self) -> None:
        self._say("A cluster, Envoy Gateway, the operator by its Helm chart; outside of it PostgreSQL, NATS, Keycloak")
        self._cluster.up()
        self._outside = outside.of(self._name)
        with ThreadPoolExecutor() as pool:
            started = pool.submit(self._outside.start)
            stack.fill(self._cluster)
            started.result()
        self._entrance = stack.entrance(self._cluster)
        self._ca = self._outside.home / "gateway-ca.crt"
        self._ca.write_text(self._entrance.ca)
        self._outside.give(self._cluster)

    def _apply(self) -> None:
        self._say("Integrations, as an application team writes them")
        self._kubectl("apply", "--recursive", "-f", str(EXAMPLES.relative_to(ROOT)))
        self._until("every integration is Ready", lambda: not self._unready(), 180)
        self._kubectl("get", "integrations", "-A")

    def _call(self) -> None:
        self._say("A request over TLS, through the gateway, to the service")
        answer = json.loads(self._curl("api.example.com", "/orders/v1/hello"))
        console.print(f"  answered by {answer['name']}, which saw {answer['method']} {answer['path']}")

    def _lifecycle(self) -> None:
        self._say("An old version says so by itself; a retired one is gone")
        headers = self._curl("orders.example.com", "/orders/v1/", "--include", "--output", "-", quiet=True)
        for line in headers.splitlines():
            if line.lower().startswith(("http/", "deprecation", "sunset", "link")):
                console.print(f"  {line}", soft_wrap=True)
        self._curl("orders.example.com", "/orders/v0/")

    def _partner(self) -> None:
        self._say("A partner's API: the gateway brings a fresh token along, whatever the caller sent")
        own = ("--header", "Authorization: Bearer mine")
        seen = json.loads(self._curl("billing.example.com", "/v2/invoices", *own, quiet=True))
        token = seen["headers"]["Authorization"][0]
        console.print(
            f"  the partner at {seen['host']} saw {seen['path']} with Authorization: {token[:16]}…", soft_wrap=True
        )
        if token == "Bearer mine":
            raise Failed("the caller's own token reached the partner")

    def _backend_stops(self) -> None:
        self._say("The backend stops: the status says so within the probe interval, and heals")
        self._kubectl("-n", "shop", "scale", "deployment/orders", "--replicas=0")
        self._show("apiroute", "shop", "orders-versions", "False")
        self._kubectl("-n", "shop", "scale", "deployment/orders", "--replicas=1")
        self._show("apiroute", "shop", "orders-versions", "True")

    def _credential_is_revoked(self) -> None:
        self._say("The database takes the password no more; a new one in the Secret heals it at once")
        password = secrets.token_urlsafe(24)
        self._outside.postgresql.sql(f"ALTER ROLE {outside.USER} PASSWORD '{password}'")
        self._show("serviceconnection", "shop", "orders-db", "False")
        changed = outside.secret("shop", "orders-db", username=outside.USER, password=password)
        self._cluster.kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", stdin=json.dumps(changed))
        self._show("serviceconnection", "shop", "orders-db", "True")
        self._outside.remember(password=password)

    def _next(self) -> None:
        self._say(f"Done in {time.monotonic() - self._began:.0f} s. What to look at next")
        curl = self._entrance.curl("api.example.com", "/orders/v1/hello", self._ca)
        for line in (
            f"export KUBECONFIG={self._cluster.kubeconfig} PATH={KUBECTL.parent}:{ROOT / '.venv/bin'}:$PATH",
            shlex.join(curl),
            "kubectl get integrations -A",
            "kubectl integrations status -A",
            "kubectl integrations plan -f examples/",
            "kubectl integrations doctor",
            "kubectl -n integration-system logs deployment/integration-operator",
            "make demo-down",
        ):
            console.print(f"  {line}", soft_wrap=True)

    def _say(self, what: str) -> None:
        console.print(f"\n[bold cyan]── {what}[/]", soft_wrap=True)

    def _kubectl(self, *arguments: str) -> None:
        console.print(f"  [dim]$ kubectl {shlex.join(arguments)}[/]")
        for line in self._cluster.kubectl(*arguments).splitlines():
            console.print(f"  {line}", soft_wrap=True)

    def _curl(self, host: str, path: str, *more: str, quiet: bool = False) -> str:
        command = [*self._entrance.curl(host, path, self._ca), *more, "--max-time", "10"]
        console.print(f"  [dim]$ curl https://{host}{path} {shlex.join(more)}[/]", soft_wrap=True)
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise Failed(f"curl failed ({done.returncode}): {done.stderr.strip()}")
        if not quiet:
            console.print(f"  {done.stdout.strip()[:300]}", markup=False, soft_wrap=True)
        return done.stdout.strip()

    def _unready(self) -> list[str]:
        found: list[dict[str, Any]] = json.loads(self._cluster.kubectl("get", "integrations", "-A", "-o", "json"))[
            "items"
        ]
        return [f"{o['kind']}/{o['metadata']['name']}" for o in found if _ready(o) != "True"]

    def _show(self, kind: str, namespace: str, name: str, ready: str) -> None:
        began = time.monotonic()
        where = ("-n", namespace, "get", kind, name)

        def reached() -> bool:
            return _ready(json.loads(self._cluster.kubectl(*where, "-o", "json"))) == ready

        self._until(f"{kind} {name} is Ready={ready}", reached, 90)
        console.print(f"  after {time.monotonic() - began:.0f} s:")
        self._kubectl(*where)

    def _until(self, what: str, check: Callable[[], bool], seconds: float) -> None:
        deadline = time.monotonic() + seconds
        with console.status(f"until {what} …"):
            while not check():
                if time.monotonic() > deadline:
                    self._kubectl("get", "integrations", "-A")
                    raise Failed(f"not within {seconds:.0f} s: {what}")
                time.sleep(0.3)


def _ready(found: dict[str, Any]) -> str:
    conditions = (found.get("status") or {}).get("conditions") or ()
    return next((str(c["status"]) for c in conditions if c["type"] == "Ready"), "Unknown")


def down(name: str) -> None:
    """Take the demo down; nothing of it is left."""
    if clusters.exists(name):
        outside.of(name).stop()
        clusters.choose(name).down()
    console.print(f"the demo on cluster {name} is down")
