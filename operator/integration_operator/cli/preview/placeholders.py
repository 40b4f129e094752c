"""Stand-ins for what only a cluster knows: secret values and resolved addresses.

No real secret value ever gets into a preview: whatever comes out of a Secret is replaced when it is read. An address
must stay an address for plans to work with, so it comes from a range that no network uses, until it is printed.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from ipaddress import IPv4Address
from typing import Any, Generic, TypeVar

from integration_operator.core.plan import Manifest
from integration_operator.engine.children import DIGEST

FIRST_ADDRESS = IPv4Address("198.18.64.1")
"""From the range for benchmarks (RFC 2544), which is routed nowhere."""
MASKED = "<secret>"

T = TypeVar("T")


class Anything(Mapping[str, T], Generic[T]):
    """The data of a Secret or ConfigMap that nobody has seen: it has whatever key is asked for."""

    def __init__(self, make: Callable[[str], T]) -> None:
        self._make = make

    def __getitem__(self, key: str) -> T:
        return self._make(key)

    def __contains__(self, key: object) -> bool:
        return True

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0

    def __bool__(self) -> bool:
        return True


class Placeholders:
    """Makes stand-ins, and knows them again."""

    def __init__(self) -> None:
        self._words: dict[str, str] = {}
        """What is printed for what plans work with."""
        self._texts: set[str] = set()

    def entry(self, key: str, kind: str, namespace: str, name: str) -> str:
        """The value of one entry of a Secret or ConfigMap."""
        text = f"<{key} of {kind} {namespace}/{name}>"
        self._texts.add(text)
        return text

    def address(self, host: str) -> str:
        """An IP address of a host name."""
        words = f"<addresses of {host}>"
        for address, known in self._words.items():
            if known == words:
                return address
        address = str(FIRST_ADDRESS + len(self._words))
        self._words[address] = words
        return address

    def host(self, kind: str, namespace: str, name: str) -> str:
        """The host name of something that nobody has seen."""
        host = f"{name}.{namespace}.invalid"
        self._words[host] = f"<host of {kind} {namespace}/{name}>"
        return host

    def inside(self, value: Any) -> list[str]:
        """The stand-ins in a value, in words, sorted."""
        if isinstance(value, Mapping):
            value = list(value.values())
        if isinstance(value, list | tuple):
            return sorted({words for v in value for words in self.inside(v)})
        if not isinstance(value, str):
            return []
        words = [w for w in self._texts if w in value]
        return sorted([*words, *(w for stand_in, w in self._words.items() if stand_in in value)])

    def revealed(self, value: Any) -> Any:
        """A value as it is printed: stand-ins in words, blocks of one stand-in address without their length."""
        if isinstance(value, Mapping):
            return {k: self.revealed(v) for k, v in value.items()}
        if isinstance(value, list | tuple):
            return [self.revealed(v) for v in value]
        if isinstance(value, str):
            for word, words in self._words.items():
                value = re.sub(rf"(?<![\w.]){re.escape(word)}(/32)?(?![\w.])", words, value)
        return value


def masked(manifest: Manifest) -> dict[str, Any]:
    """A manifest without the values of a Secret; its keys stay. Neither stays the digest, made from values."""
    result = dict(manifest)
    meta = manifest["metadata"]
    if DIGEST in (meta.get("annotations") or {}):
        result["metadata"] = {**meta, "annotations": {**meta["annotations"], DIGEST: "<digest>"}}
    if manifest.get("kind") == "Secret":
        for field in ("data", "stringData"):
            if field in manifest:
                result[field] = dict.fromkeys(manifest[field] or {}, MASKED)
    return result
