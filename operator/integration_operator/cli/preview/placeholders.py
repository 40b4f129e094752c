"""Stand-ins for what only a cluster knows: secret values and resolved addresses.

No real secret value ever gets into a preview: whatever comes out of a Secret is replaced when it is read. An address
must stay an address for plans to work with, so it comes from a range that no network uses, until it is printed.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from ipaddress import IPv4Address
from typing import Any, Generic, TypeVar

from integration_operator.cli.preview.certificates import Pair, made
from integration_operator.core.plan import Manifest

FIRST_ADDRESS = IPv4Address("198.18.64.1")
"""From the range for benchmarks (RFC 2544), which is routed nowhere."""
MASKED = "<secret>"
DERIVED = "<known once applied>"
UID = "<uid>"

T = TypeVar("T")

_PEM = r"-----BEGIN [A-Z ]+-----\n[^-]+-----END [A-Z ]+-----\n?"
_LIKELY = re.compile(_PEM + r"|<[^<>]+>~?|(?<![\w.])198\.18\.\d+\.\d+(?:/32)?(?![\w.])|[a-z0-9.-]+\.invalid")
"""What may be a stand-in; whether it is one, those who made it know."""


def _stand_in(match: re.Match[str]) -> str:
    return match[0].removesuffix("/32").removesuffix("\n")


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
    """Makes stand-ins, and knows them again. With another `salt` they are others, of the same words."""

    def __init__(self, salt: str = "") -> None:
        self._salt = salt
        self._words: dict[str, str] = {}
        """What is printed for what plans work with."""
        self._addresses: dict[str, str] = {}
        self._derived: set[str] = set()
        self._pairs: dict[tuple[str, str, str], Pair] = {}
        self._parts: dict[tuple[str, str, str, str], str] = {}
        self._first = FIRST_ADDRESS + (2**14 if salt else 0)

    def text(self, words: str) -> str:
        """Any text that nobody knows."""
        stand_in = words + self._salt
        self._words[stand_in] = words
        return stand_in

    def entry(self, key: str, kind: str, namespace: str, name: str) -> str:
        """The value of one entry of a Secret or ConfigMap."""
        words = f"<{key} of {kind} {namespace}/{name}>"
        part = self._parts.get((key, kind, namespace, name))
        if part is None:
            return self.text(words)
        pair = self._pairs.setdefault((kind, namespace, name), made(words))
        stand_in = pair.key if part == "key" else pair.certificate
        self._words[stand_in] = words
        return stand_in

    def expect(self, part: str, key: str, kind: str, namespace: str, name: str) -> None:
        """An entry whose value must be PEM for plans to work with: `part` certificate or key."""
        self._parts[key, kind, namespace, name] = part

    def address(self, host: str) -> str:
        """An IP address of a host name."""
        if host not in self._addresses:
            self._addresses[host] = str(self._first + len(self._addresses))
            whose = self._words.get(host, host).removeprefix("<host of ").removesuffix(">")
            self._words[self._addresses[host]] = f"<addresses of {whose}>"
        return self._addresses[host]

    def host(self, kind: str, namespace: str, name: str) -> str:
        """The host name of something that nobody has seen."""
        host = f"{name}.{namespace}.{'other' if self._salt else 'some'}.invalid"
        self._words[host] = f"<host of {kind} {namespace}/{name}>"
        return host

    def derive(self, text: str) -> None:
        """Take note of a text that was made from stand-ins, as a digest is."""
        self._derived.add(text)

    def inside(self, value: Any) -> list[str]:
        """The stand-ins in a value, in words, sorted."""
        if isinstance(value, Mapping):
            value = list(value.values())
        if isinstance(value, list | tuple):
            return sorted({words for v in value for words in self.inside(v)})
        if not isinstance(value, str):
            return []
        if value in self._derived:
            return [DERIVED]
        found = (self._words.get(_stand_in(match)) for match in _LIKELY.finditer(value))
        return sorted({words for words in found if words})

    def revealed(self, value: Any) -> Any:
        """A value as it is printed: stand-ins in words, blocks of one stand-in address without their length."""
        if isinstance(value, Mapping):
            return {k: self.revealed(v) for k, v in value.items()}
        if isinstance(value, list | tuple):
            return [self.revealed(v) for v in value]
        if not isinstance(value, str):
            return value
        if value in self._derived:
            return DERIVED
        return _LIKELY.sub(lambda match: self._words.get(_stand_in(match), match[0]), value)


def masked(manifest: Manifest) -> dict[str, Any]:
    """A manifest without the values of a Secret; its keys stay."""
    result = dict(manifest)
    if manifest.get("kind") == "Secret":
        for field in ("data", "stringData"):
            if field in manifest:
                result[field] = dict.fromkeys(manifest[field] or {}, MASKED)
    return result
