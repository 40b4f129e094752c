"""Argo CD's health checks, run as Argo CD runs them (Lua 5.1), over objects as the API server has them."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from lupa.lua51 import LuaRuntime

from integration_operator.core.model import API_VERSION, GROUP
from integration_operator.registry import KINDS
from tests.api.conftest import Operating
from tests.api.engine.widgets import widget
from tests.api.kube import Kube

ROOT = Path(__file__).resolve().parents[3]
PATCH = yaml.safe_load((ROOT / "docs" / "how-to" / "argo-cd" / "argocd-cm.yaml").read_text())["data"]
SCRIPTS = {key.removeprefix(f"resource.customizations.health.{GROUP}_"): lua for key, lua in PATCH.items()}
SPECS: dict[str, Any] = {
    "ApiRoute": {
        "hostnames": ["api.example.com"],
        "auth": {"anonymous": True},
        "versions": [{"name": "v1", "backends": [{"serviceRef": {"name": "orders", "port": 80}}]}],
    },
    "ServiceConnection": {"nats": {"host": "nats.example.com"}},
}


def health(obj: dict[str, Any] | None, script: str = SCRIPTS[KINDS[0].name]) -> tuple[str, str]:
    """Argo CD gives the object as `obj`, and takes a table with status and message."""
    lua = LuaRuntime()
    lua.globals().obj = lua.table_from(obj, recursive=True)
    told = lua.execute(script)
    return told.status, told.message


def test_there_is_a_check_for_every_kind() -> None:
    assert SCRIPTS.keys() == {kind.name for kind in KINDS}


@pytest.mark.parametrize("kind", SPECS)
async def test_an_object_is_progressing_from_its_first_moment(kube: Kube, kind: str) -> None:
    await kube.create({"apiVersion": API_VERSION, "kind": kind, "metadata": {"name": "new"}, "spec": SPECS[kind]})
    status, message = health(await kube.get(kind, "new"), SCRIPTS[kind])
    assert (status, message) == ("Progressing", "the operator has not judged this generation yet")


async def test_health_is_what_ready_says_of_this_generation(kube: Kube, operator: Operating) -> None:
    await kube.secret("there", token="x")
    async with operator():
        await kube.create(widget("good", secret="there"), widget("bad", secret="missing"), widget("broken", bug="plan"))
        assert health(await kube.ready("good"))[0] == "Healthy"
        assert health(await kube.ready("bad", "False")) == ("Degraded", "SecretNotFound")
        status, message = health(await kube.ready("broken", "Unknown", "InternalError"))
        assert status == "Progressing"
        assert message.startswith("InternalError: ")
    changed = await kube.spec("good", text="nobody has seen this generation")
    assert health(changed)[0] == "Progressing"


async def test_the_message_says_why_and_what(kube: Kube, operator: Operating) -> None:
    async with operator():
        await kube.create(widget("first", claim="a"))
        await kube.ready("first")
        await kube.create(widget("second", claim="a"))
        told = health(await kube.ready("second", "False"))
        assert told == ("Degraded", "Conflicted: belongs to first")


def test_an_object_without_any_status_is_progressing() -> None:
    assert health({"metadata": {"generation": 1}})[0] == "Progressing"
