"""Our own objects as kopf brought them, what they claim, and who read what: all that decides who is asked again."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

import structlog
from pydantic import ValidationError

from integration_operator.core.kind import Kind
from integration_operator.core.model import API_VERSION
from integration_operator.core.ports import Claimant, Environment, Key
from integration_operator.engine.audit import asked_by
from integration_operator.engine.cluster import decode, encode

log = structlog.get_logger("objects")

Dependency = tuple[str, ...]
"""What was read: ("object", apiVersion, kind, namespace, name), ("list", …, namespace), or ("claim", text)."""


def object_dependency(api_version: str, kind: str, namespace: str, name: str) -> Dependency:
    """That one object was read."""
    return ("object", api_version, kind, namespace, name)


def list_dependency(api_version: str, kind: str, namespace: str) -> Dependency:
    """That all objects of a kind in a namespace were read."""
    return ("list", api_version, kind, namespace)


class Dependencies:
    """Who read what, last time they looked. Most things have one reader only: they get no set, which would be large."""

    def __init__(self) -> None:
        self._read: dict[Key, Sequence[Dependency]] = {}
        """A list while the key looks, a tuple afterwards."""
        self._readers: dict[Dependency, Key | set[Key]] = {}

    def add(self, key: Key, dependency: Dependency) -> None:
        """This key is reading something just now: a change is news from here on, not only once its look has ended."""
        readers = self._readers.get(dependency)
        if readers != key and not (isinstance(readers, set) and key in readers):
            self._add(dependency, key)
            if not isinstance(read := self._read.get(key, ()), list):
                self._read[key] = read = list(read)
            read.append(dependency)

    def remember(self, key: Key, read: Iterable[Dependency]) -> None:
        """Replace what this key read; nothing at all forgets the key."""
        before, after = frozenset(self._read.pop(key, ())), frozenset(read)
        for dependency in before - after:
            self._drop(dependency, key)
        for dependency in after - before:
            self._add(dependency, key)
        if after:
            self._read[key] = tuple(after)

    def readers(self, dependency: Dependency) -> Iterable[Key]:
        """Who must be asked again when this changes."""
        readers = self._readers.get(dependency, set())
        return tuple(readers) if isinstance(readers, set) else (readers,)

    def _add(self, dependency: Dependency, key: Key) -> None:
        readers = self._readers.setdefault(dependency, key)
        if isinstance(readers, set):
            readers.add(key)
        elif readers != key:
            self._readers[dependency] = {readers, key}

    def _drop(self, dependency: Dependency, key: Key) -> None:
        readers = self._readers[dependency]
        if isinstance(readers, set):
            readers.discard(key)
        if not readers or readers == key:
            del self._readers[dependency]


class _Stored(NamedTuple):
    version: int
    essence: int
    status: int
    claims: tuple[str, ...]
    created: datetime
    uid: str
    raw: bytes


class Objects:
    """The newest known version of every object of ours, as compact JSON, and an index of their claims."""

    def __init__(
        self, kinds: Mapping[str, Kind[Any, Any]], environment: Environment, changed: Callable[[Dependency], None]
    ) -> None:
        self._kinds, self._environment, self._changed = kinds, environment, changed
        self._stored: dict[Key, _Stored] = {}
        self._claims: dict[str, set[Key]] = {}

    def put(self, raw: Mapping[str, Any], *, own: bool = False) -> bool:
        """Take a version; True when it must be reconciled: it is new, or anything in it changed.

        `own`: it is what a write of ours returned, so that its status is no news; and where the object is gone since,
        or another by now, it is nothing at all.
        """
        key, meta = key_of(raw), raw["metadata"]
        known = self._stored.get(key)
        version = int(meta["resourceVersion"]) if meta["resourceVersion"].isdecimal() else 0
        if own and (known is None or known.uid != meta["uid"]):
            return False
        if known and version <= known.version:
            return False
        kept = {**raw, "metadata": {k: v for k, v in meta.items() if k != "managedFields"}}
        kept["asked_by"] = asked_by(raw)
        status = hash(encode(raw.get("status")))
        essence = _essence(kept)
        if known and known.uid == meta["uid"] and known.essence == essence:
            claims = known.claims
        else:
            claims = self._claims_of(key, kept)
            self._reindex(key, known.claims if known else (), claims)
        self._stored[key] = _Stored(version, essence, status, claims, _created(meta), meta["uid"], encode(kept))
        changed = known is None or known.essence != essence
        if changed or known is None or known.status != status:
            self._tell(key)
            return changed or not own
        return False

    def remove(self, key: Key, uid: str | None = None) -> bool:
        """Forget an object (of this uid); whether it was known."""
        known = self._stored.get(key)
        if known is None or (uid is not None and known.uid != uid):
            return False
        del self._stored[key]
        self._reindex(key, known.claims, ())
        self._tell(key)
        return True

    def get(self, key: Key) -> dict[str, Any] | None:
        """An object, without managed fields; `asked_by` is the field manager that last wrote its spec."""
        known = self._stored.get(key)
        return decode(known.raw) if known else None

    def uid(self, key: Key) -> str | None:
        """The uid of a known object."""
        known = self._stored.get(key)
        return known.uid if known else None

    def keys(self, kind: str | None = None) -> list[Key]:
        """All known objects, of one kind or of all."""
        return [k for k in self._stored if kind is None or k.kind == kind]

    def claimants(self, claim: str) -> tuple[Claimant, ...]:
        """Who claims this, oldest first."""
        if not (keys := self._claims.get(claim)):  # of most claims that are asked about
            return ()
        return tuple(sorted(Claimant(self._stored[k].created, k) for k in keys))

    def __iter__(self) -> Iterator[Key]:
        return iter(self._stored)

    def __len__(self) -> int:
        return len(self._stored)

    def _claims_of(self, key: Key, raw: Mapping[str, Any]) -> tuple[str, ...]:
        kind = self._kinds[key.kind]
        try:
            return tuple(dict.fromkeys(kind.claims(kind.model.model_validate(raw), self._environment)))
        except ValidationError:
            return ()
        except Exception:
            log.exception("a bug: the claims of this object are not known", object=str(key))
            return ()

    def _reindex(self, key: Key, before: tuple[str, ...], after: tuple[str, ...]) -> None:
        for claim in before:
            if claim not in after:
                self._claims[claim].discard(key)
                if not self._claims[claim]:
                    del self._claims[claim]
                self._changed(("claim", claim))
        for claim in after:
            if claim not in before:
                self._claims.setdefault(claim, set()).add(key)
                self._changed(("claim", claim))

    def _tell(self, key: Key) -> None:
        self._changed(object_dependency(API_VERSION, key.kind, key.namespace, key.name))
        self._changed(list_dependency(API_VERSION, key.kind, key.namespace))


def key_of(raw: Mapping[str, Any]) -> Key:
    """The key of one of our own objects."""
    return Key(raw["kind"], raw["metadata"].get("namespace", ""), raw["metadata"]["name"])


def _created(meta: Mapping[str, Any]) -> datetime:
    text = meta.get("creationTimestamp")
    return datetime.fromisoformat(text) if text else datetime.now(UTC)


_ESSENTIAL = ("uid", "generation", "labels", "annotations", "deletionTimestamp", "finalizers")


def _essence(raw: Mapping[str, Any]) -> int:
    meta = raw["metadata"]
    return hash(encode([raw.get("spec"), *(meta.get(field) for field in _ESSENTIAL)]))
