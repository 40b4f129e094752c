"""What the documentation says against what there is: links, targets, reasons, metrics, settings, values, manifests."""

import re
from collections.abc import Iterator
from enum import StrEnum
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import yaml

from integration_operator.cli.main import app
from integration_operator.core.errors import IntegrationError
from integration_operator.core.model import API_VERSION
from integration_operator.drivers.probes import dial, route
from integration_operator.engine import apply, cluster
from integration_operator.registry import KINDS

ROOT = Path(__file__).resolve().parents[3]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / ".github").rglob("*.md")])
GUIDES = {"add-a-kind.md", "add-a-driver.md"}
"""Followed word for word by tests/api/docs, with kinds and fields of their own."""
OPERATIONS = (ROOT / "docs" / "operations.md").read_text()


def _name(page: Path) -> str:
    return str(page.relative_to(ROOT))


def _links(page: Path) -> list[str]:
    text = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    return [link for link in re.findall(r"\]\(([^)\s]+)\)", text) if not re.match(r"[a-z]+:", link)]


def _anchors(page: Path) -> set[str]:
    """As GitHub makes them from headings."""
    titles = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_every_link_leads_somewhere(page: Path) -> None:
    for link in _links(page):
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), f"{_name(page)}: {link}"
        assert not anchor or anchor in _anchors(target), f"{_name(page)}: {link}"


def test_every_page_can_be_reached_from_the_readme() -> None:
    seen, waiting = set(), [ROOT / "README.md", ROOT / "docs" / "README.md"]
    while waiting:
        page = waiting.pop()
        if page not in seen and page.suffix == ".md" and page.exists():
            seen.add(page)
            waiting += [(page.parent / link.partition("#")[0]).resolve() for link in _links(page)]
    assert not {_name(page) for page in (ROOT / "docs").rglob("*.md")} - {_name(page) for page in seen}


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_every_make_target_that_is_named_exists(page: Path) -> None:
    targets = set(re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"(?:`|\$ )make ([a-z][a-z0-9-]*)", page.read_text()))
    assert named <= targets, named - targets


def test_contributing_names_every_target() -> None:
    targets = set(re.findall(r"^([a-z0-9-]+):.*## ", (ROOT / "Makefile").read_text(), re.MULTILINE))
    text = (ROOT / "CONTRIBUTING.md").read_text()
    assert not {target for target in targets - {"help"} if f"make {target}`" not in text}


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_every_command_of_the_plug_in_that_is_named_exists(page: Path) -> None:
    commands = {command.callback.__name__ for command in app.registered_commands if command.callback}
    named = set(re.findall(r"(?:`|\$ )kubectl integrations ([a-z]+)", page.read_text()))
    assert named <= commands, named - commands


def _reasons() -> Iterator[tuple[str, str]]:
    for kind in KINDS:
        enum = import_module(kind.plan.__module__).Reason
        assert issubclass(enum, StrEnum)
        yield from ((f"docs/reference/{kind.name.lower()}.md", reason) for reason in enum)
    yield from (("docs/reference/serviceconnection.md", reason) for reason in dial.Reason)
    yield from (("docs/reference/apiroute.md", reason) for reason in route.Reason)
    yield from (("docs/operations.md", error.reason) for error in _below(IntegrationError))


def _below(error: type[IntegrationError]) -> Iterator[type[IntegrationError]]:
    assert apply and cluster, "these define errors of their own"
    yield error
    for inner in error.__subclasses__():
        yield from _below(inner)


@pytest.mark.parametrize(("page", "reason"), sorted(set(_reasons())))
def test_every_reason_is_documented(page: str, reason: str) -> None:
    assert f"`{reason}`" in (ROOT / page).read_text()


def test_every_metric_is_documented_with_its_labels() -> None:
    rows = re.findall(r"^\| `(integration_\w+)` \|([^|]*)\|", OPERATIONS, re.MULTILINE)
    documented = {name: labels.strip() for name, labels in rows}
    source = (ROOT / "operator" / "integration_operator" / "engine" / "metrics.py").read_text()
    found = {}
    for sort, name, labels in re.findall(r'(Counter|Gauge|Histogram)\("(\w+)", "[^"]+"(?:, \[(.*?)\])?', source):
        found[name + ("_total" if sort == "Counter" else "")] = labels.replace('"', "`")
    assert len(found) > 5
    assert documented == found


def test_every_setting_is_documented() -> None:
    source = (ROOT / "operator" / "integration_operator" / "settings.py").read_text()
    names = set(re.findall(r'(?:get|several)\("([A-Z_]+)"', source))
    names |= {f"{name}_SECONDS" for name in ("LEASE", "RENEW", "RETRY")}
    assert names == set(re.findall(r"`INTEGRATION_OPERATOR_([A-Z_]+)`", OPERATIONS))


def _leaves(values: dict[str, Any], path: str = "") -> Iterator[str]:
    for name, value in values.items():
        where = f"{path}.{name}".lstrip(".")
        if isinstance(value, dict) and value and name != "resources":
            yield from _leaves(value, where)
        else:
            yield where


def test_every_value_of_the_chart_is_documented() -> None:
    values = yaml.safe_load((ROOT / "charts" / "integration-operator" / "values.yaml").read_text())
    table = OPERATIONS.partition("| Value |")[2].partition("\n\n")[0]
    documented = {
        name
        for row in table.splitlines()
        for name in re.findall(r"`([\w.]+)`", row.split("|")[1:2][0] if "|" in row else "")
    }
    assert set(_leaves(values)) == documented


def _manifests() -> Iterator[tuple[str, dict[str, Any]]]:
    for page in PAGES:
        blocks = re.findall(r"^```yaml\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL)
        for number, block in enumerate(blocks if page.name not in GUIDES else ()):
            yield from ((f"{_name(page)} {number}", document) for document in yaml.safe_load_all(block))


MANIFESTS = [(where, manifest) for where, manifest in _manifests() if manifest.get("apiVersion") == API_VERSION]


@pytest.mark.parametrize(("where", "manifest"), MANIFESTS, ids=[where for where, _ in MANIFESTS])
def test_every_manifest_is_valid(where: str, manifest: dict[str, Any]) -> None:
    kinds = {kind.name: kind for kind in KINDS}
    kinds[manifest["kind"]].model.model_validate(manifest)


def test_the_readme_and_the_how_tos_show_manifests() -> None:
    pages = {where.partition(" ")[0] for where, _ in MANIFESTS}
    assert {"README.md", *(_name(p) for p in (ROOT / "docs" / "how-to").glob("*.md"))} <= pages


def test_the_readme_shows_the_first_example_and_what_kubectl_prints_of_it() -> None:
    example = yaml.safe_load_all((ROOT / "examples" / "first" / "orders.yaml").read_text())
    (first,) = [document for document in example if document["apiVersion"] == API_VERSION]
    assert [manifest for where, manifest in MANIFESTS if where.startswith("README.md")] == [first]
    (kind,) = [kind for kind in KINDS if kind.name == first["kind"]]
    header = " ".join(["NAME", *(column.name.upper() for column in kind.all_columns)])
    assert header in re.sub(" +", " ", (ROOT / "README.md").read_text())
