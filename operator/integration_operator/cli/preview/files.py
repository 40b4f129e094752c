"""Manifests from files, directories and standard input, read as kubectl reads them."""

import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

SUFFIXES = {".yaml", ".yml", ".json"}


@dataclass(frozen=True)
class Document:
    """One Kubernetes object, and where it stands."""

    manifest: dict[str, Any]
    source: str
    """File and line."""

    @property
    def title(self) -> str:
        """The object as a person names it."""
        meta = self.manifest.get("metadata")
        meta = meta if isinstance(meta, dict) else {}
        name = "/".join(str(part) for part in (meta.get("namespace"), meta.get("name")) if part)
        return f"{self.manifest.get('kind', 'object')} {name}".rstrip()


@dataclass(frozen=True)
class Problem:
    """What is wrong with a file or an object, and what to write instead."""

    source: str
    title: str
    messages: tuple[str, ...]

    @property
    def place(self) -> tuple[str, int]:
        """File and line, to sort by."""
        file, _, line = self.source.rpartition(":")
        return (file, int(line)) if line.isdecimal() else (self.source, 0)


class _Loader(yaml.SafeLoader):
    """YAML 1.1 as kubectl has it: times stay text, a key may stand only once."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def _mapping(loader: _Loader, node: yaml.MappingNode) -> dict[str, Any]:
    seen: set[str] = set()
    for key, _ in node.value:
        if str(key.value) in seen:
            raise yaml.YAMLError(f"line {key.start_mark.line + 1}: the key {key.value} stands twice in one object")
        seen.add(str(key.value))
    loader.flatten_mapping(node)  # merge keys (<<) put what they bring in front, to be overridden
    return {_name(loader, key): loader.construct_object(value, deep=True) for key, value in node.value}


def _name(loader: _Loader, node: yaml.Node) -> str:
    """A key as kubectl makes it JSON: what YAML 1.1 takes for a boolean (on, yes, off, no) becomes true or false."""
    if node.tag == "tag:yaml.org,2002:bool":
        return str(loader.construct_object(node)).lower()
    return str(node.value)


_Loader.add_constructor("tag:yaml.org,2002:map", _mapping)


def read(names: Iterable[str]) -> tuple[list[Document], list[Problem]]:
    """Every object of the files in their order; what can't be read is a problem, and does not stop the rest."""
    documents: list[Document] = []
    problems: list[Problem] = []
    for name in names:
        try:
            for path in [name] if name == "-" else _files(Path(name)):
                _read(path, documents, problems)
        except OSError as error:
            problems.append(Problem(name, "", (error.strerror or str(error),)))
    return documents, problems


def _files(path: Path) -> list[str]:
    if not path.is_dir():
        return [str(path)]
    found = sorted(p for p in path.rglob("*") if p.suffix in SUFFIXES and p.is_file())
    if not found:
        raise OSError(0, f"no file ends with {', '.join(sorted(SUFFIXES))} in this directory")
    return [str(p) for p in found]


def _read(name: str, documents: list[Document], problems: list[Problem]) -> None:
    try:
        text = sys.stdin.read() if name == "-" else Path(name).read_text(encoding="utf-8")
    except UnicodeDecodeError:
        problems.append(Problem(name, "", ("is not UTF-8 text",)))
        return
    source = "standard input" if name == "-" else name
    try:
        loader = _Loader(text)
        while loader.check_node():
            node = loader.get_node()
            found = loader.construct_document(node)
            if node is not None and found is not None:
                at = f"{source}:{node.start_mark.line + 1}"
                _take(found, at, documents, problems)
    except yaml.MarkedYAMLError as error:
        line = f"line {error.problem_mark.line + 1}: " if error.problem_mark else ""
        problems.append(Problem(source, "", (f"is not YAML: {line}{error.problem or error.context}",)))
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        problems.append(Problem(source, "", (f"is not YAML: {str(error).partition(chr(10))[0]}",)))


def _take(found: Any, source: str, documents: list[Document], problems: list[Problem]) -> None:
    for manifest in _members(found):
        document = Document(manifest if isinstance(manifest, dict) else {}, source)
        if messages := _malformed(manifest):
            problems.append(Problem(source, document.title if document.manifest else "", messages))
        else:
            documents.append(document)


def _members(found: Any) -> Iterator[Any]:
    if isinstance(found, dict) and str(found.get("kind", "")).endswith("List") and isinstance(found.get("items"), list):
        yield from found["items"]
    else:
        yield found


def _malformed(manifest: Any) -> tuple[str, ...]:
    if not isinstance(manifest, dict):
        return ("is not a Kubernetes object: write apiVersion, kind, metadata and spec",)
    meta = manifest.get("metadata")
    missing = [f for f in ("apiVersion", "kind") if not isinstance(manifest.get(f), str) or not manifest[f]]
    if missing:
        return (f"is not a Kubernetes object: {' and '.join(missing)} missing",)
    if not isinstance(meta, dict) or not isinstance(meta.get("name"), str) or not meta["name"]:
        return ("metadata.name is missing: a plan needs the name that the object will have",)
    if not isinstance(meta.get("namespace", ""), str):
        return ("metadata.namespace must be text",)
    return ()
