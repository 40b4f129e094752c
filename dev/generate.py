"""Writes what follows from the models: CRDs, the chart's copy of them, reference pages. `--check` names stale files."""

import ast
import sys
from collections.abc import Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import Any

import yaml

from dev.versions import ROOT
from integration_operator.core.crd import crd
from integration_operator.core.kind import Kind
from integration_operator.core.model import GROUP
from integration_operator.drivers.probes import claims, dial, oidc, route
from integration_operator.registry import KINDS

HEADER = "# Generated from the models by `make generate`: don't edit.\n"
CHART = ROOT / "charts" / "integration-operator"
ARGO_CD = ROOT / "docs" / "how-to" / "argo-cd"
PROBES = {"ApiRoute": (route,), "IdentityFederation": (oidc, claims, dial), "ServiceConnection": (dial,)}
"""Where else a kind's reasons come from: a bad outcome's reason becomes its condition's."""


class _Dumper(yaml.SafeDumper):
    """Block style, no aliases, long text folded by nobody."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    """A text that is a file of its own as it was written."""
    style = "|" if text.endswith("\n") else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _text)


def generated() -> Iterator[tuple[Path, str]]:
    """Every generated file and its text."""
    for kind in KINDS:
        manifest = crd(kind)
        text = yaml.dump(manifest, Dumper=_Dumper, sort_keys=False, width=110, allow_unicode=True)
        file = f"{manifest['metadata']['name']}.yaml"
        yield ROOT / "crds" / file, HEADER + text
        yield CHART / "templates" / "crds" / file, HEADER + _templated(text)
        yield ROOT / "docs" / "reference" / f"{kind.name.lower()}.md", reference(kind, manifest)
    yield CHART / "templates" / "_kinds.tpl", "".join(_named())
    yield ARGO_CD / "argocd-cm.yaml", HEADER + yaml.dump(_argo_cd(), Dumper=_Dumper, sort_keys=False)


def _argo_cd() -> dict[str, Any]:
    """The part of Argo CD's ConfigMap that teaches it to judge our kinds."""
    lua = (ARGO_CD / "health.lua").read_text()
    return {"data": {f"resource.customizations.health.{GROUP}_{kind.name}": lua for kind in KINDS}}


def _named() -> Iterator[str]:
    """Our own resources as lists for RBAC rules."""
    yield HEADER.replace("# ", "{{- /* ").replace(".\n", ". */ -}}\n")
    for name, part in (("kinds", ""), ("kinds.status", "/status")):
        yield f'{{{{- define "operator.{name}" -}}}}[{", ".join(kind.plural + part for kind in KINDS)}]{{{{- end }}}}\n'


def _templated(text: str) -> str:
    """The CRD as a template: kept when the release goes, and escaped where it has braces of its own."""
    escaped = text.replace("{{", "{{ `{{` }}")
    labels = '  labels:\n    {{- include "operator.labels" . | nindent 4 }}\n'
    kept = "\n  annotations: {helm.sh/resource-policy: keep}\n" + labels
    head, _, rest = escaped.partition("\nspec:\n")
    return "{{- if .Values.crds.install }}\n" + head + kept + "spec:\n" + rest + "{{- end }}\n"


def reference(kind: Kind[Any, Any], manifest: dict[str, Any]) -> str:
    """The reference page of a kind."""
    version = manifest["spec"]["versions"][0]
    schema = version["schema"]["openAPIV3Schema"]["properties"]
    names = manifest["spec"]["names"]
    lines = [
        f"# {kind.name}",
        "",
        f"<!-- {HEADER.strip('# ').strip()} -->",
        "",
        kind.description,
        "",
        f"`{manifest['spec']['group']}/{version['name']}`, short name `{', '.join(names['shortNames'])}`.",
        "",
        "## spec",
        "",
        "| Field | Type | Description |",
        "|---|---|---|",
        *_fields(schema["spec"], ""),
        "",
        "## status",
        "",
        "| Field | Type | Description |",
        "|---|---|---|",
        *_fields(schema["status"], ""),
    ]
    own = dict(_reasons(sys.modules[sys.modules[kind.plan.__module__].Reason.__module__]))
    lines += _table("Reasons", own)
    probed = {n: s for probe in PROBES.get(kind.name, ()) for n, s in _reasons(probe) if n not in own}
    lines += _table("Reasons of probes", probed)
    return "\n".join(lines) + "\n"


def _table(title: str, reasons: Mapping[str, str]) -> list[str]:
    rows = [f"| `{name}` | {sentence} |" for name, sentence in reasons.items()]
    return ["", f"## {title}", "", "| Reason | Meaning |", "|---|---|", *rows] if rows else []


def _fields(schema: dict[str, Any], path: str) -> Iterator[str]:
    required = set(schema.get("required", ()))
    for name, field in schema.get("properties", {}).items():
        where = f"{path}.{name}".lstrip(".")
        notes = [field.get("description", "")]
        if name in required:
            notes.append("Required.")
        if "enum" in field:
            notes.append("One of " + ", ".join(f"`{v}`" for v in field["enum"]) + ".")
        default = field.get("default")
        if isinstance(default, bool):
            notes.append(f"Default `{str(default).lower()}`.")
        elif isinstance(default, str | int):
            notes.append(f"Default `{default}`.")
        kind = field["type"] if field["type"] != "array" else f"[]{field['items']['type']}"
        yield f"| `{where}` | {kind} | {' '.join(notes)} |".replace("\n", " ")
        inner = field.get("items") if field["type"] == "array" else field
        if inner and inner.get("properties"):
            yield from _fields(inner, where + ("[]" if field["type"] == "array" else ""))


def _reasons(module: ModuleType) -> Iterator[tuple[str, str]]:
    """Each member of a module's Reason enum with the sentence below it, read from the source."""
    tree = ast.parse(Path(str(module.__file__)).read_text())
    bodies = [node.body for node in tree.body if isinstance(node, ast.ClassDef) and node.name == "Reason"]
    for body in bodies:
        for member, sentence in pairwise(body):
            match member, sentence:
                case ast.Assign(value=ast.Constant(value=name)), ast.Expr(value=ast.Constant(value=text)):
                    yield str(name), " ".join(str(text).split())


def main() -> int:
    """Write, or with --check only compare."""
    check = "--check" in sys.argv
    stale = [path for path, text in generated() if not path.exists() or path.read_text() != text]
    if check:
        for path in stale:
            print(f"stale: {path.relative_to(ROOT)} (make generate)")
        return 1 if stale else 0
    for path, text in generated():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
