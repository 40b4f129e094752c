"""What verbs write with: colours on a terminal, plain text elsewhere, progress on stderr."""

import json
import sys
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import yaml
from rich.console import Console
from rich.text import Text

UNLIMITED = 100_000
"""Width of what is piped: lines are never broken for a program that reads them."""

STYLES = {"good": "green", "bad": "red", "warning": "yellow", "faint": "dim", "name": "bold", "kind": "cyan"}


def console() -> Console:
    """Standard output."""
    # rich takes its width from the terminal; what is no terminal gets one that never breaks a line.
    width = None if sys.stdout.isatty() else UNLIMITED
    return Console(width=width, highlight=False, markup=False, emoji=False, soft_wrap=False)


def text(*parts: str | tuple[str, str]) -> Text:
    """A line of plain parts and (words, style) pairs; styles are those of STYLES."""
    line = Text()
    for part in parts:
        words, style = part if isinstance(part, tuple) else (part, "")
        line.append(words, STYLES.get(style, style))
    return line


def progress(what: str) -> AbstractContextManager[Any]:
    """A spinner on stderr while something takes long; nothing where nobody watches."""
    if not sys.stderr.isatty():
        return nullcontext()
    return Console(stderr=True).status(what)


def note(message: str) -> None:
    """Something worth knowing that is no result: on stderr."""
    print(message, file=sys.stderr)


class _Dumper(yaml.SafeDumper):
    """As kubectl writes YAML: block style, text of several lines as such, no aliases."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _string(dumper: yaml.SafeDumper, value: str) -> yaml.Node:
    style = "|" if "\n" in value else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style)


_Dumper.add_representer(str, _string)


def to_yaml(manifest: Mapping[str, Any]) -> str:
    """One document, without its separator."""
    return yaml.dump(manifest, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=UNLIMITED)


def to_yaml_stream(manifests: Iterable[tuple[str, Mapping[str, Any]]]) -> str:
    """Documents, each after a comment."""
    return "".join(f"---\n# {comment}\n{to_yaml(manifest)}" for comment, manifest in manifests)


def to_json(value: Any) -> str:
    """Indented, as `kubectl get -o json`."""
    return json.dumps(value, indent=2, ensure_ascii=False)
