"""`kubectl integrations` against a real installation, with a real gateway."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from dev.versions import KUBECTL
from tests.e2e.conftest import Client, api_route, echo


def plugin(client: Client, *arguments: str, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    return subprocess.run(
        [KUBECTL, "integrations", *arguments],
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PATH": path, "KUBECONFIG": str(client.kubeconfig)},
    )


def test_a_plan_becomes_true_and_status_says_so(client: Client, namespace: str, host: str) -> None:
    route = api_route("first", host)
    text = json.dumps(route)
    client.apply(namespace, *echo("echo"))
    before = plugin(client, "plan", "-f", "-", "-n", namespace, "--diff", stdin=text)
    assert before.returncode == 1, before.stderr
    assert f"+++ planned: HTTPRoute {namespace}/first" in before.stdout

    client.apply(namespace, route)
    ready = plugin(client, "status", "first", "-n", namespace, "--wait", "90s")
    assert ready.returncode == 0, ready.stdout + ready.stderr
    assert f"ApiRoute {namespace}/first  Ready=True Serving" in ready.stdout
    after = plugin(client, "plan", "-f", "-", "-n", namespace, "--diff", stdin=text)
    assert (after.returncode, after.stdout) == (0, ""), after.stderr


def test_the_doctor_finds_the_installation_well(client: Client) -> None:
    done = plugin(client, "doctor", "-o", "json")
    findings: list[dict[str, Any]] = json.loads(done.stdout)
    installation = [f for f in findings if f["what"].split()[0] not in ("ApiRoute", "ServiceConnection", "egress")]
    assert [f for f in installation if f["level"] == "problem"] == []
    assert any(f["what"].startswith("Gateway ") and f["level"] == "ok" for f in installation)
    assert any(f["what"] == "backends outside: enabled" for f in installation)
