"""The objects that a view of a bucket shows, and their names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from cloudfiles.batch.store import Store
from cloudfiles.exceptions import InvalidInputError, InvalidPathError
from cloudfiles.inputs import as_path


@dataclass(frozen=True)
class PrefixFilter:
    """Show only objects whose keys start with `prefix`, which can be any string, not only a directory."""

    prefix: str

    def __post_init__(self) -> None:
        _check("PrefixFilter", self.prefix)


@dataclass(frozen=True)
class StripPrefix:
    """Remove `prefix` from the names. Objects whose keys do not start with it are hidden."""

    prefix: str

    def __post_init__(self) -> None:
        _check("StripPrefix", self.prefix)


def _check(kind: str, prefix: Any) -> None:
    if not isinstance(prefix, str) or not prefix:
        raise InvalidInputError(f"{kind}: expected a key prefix of at least one character, got {prefix!r}")


@dataclass(frozen=True)
class View:
    """Maps keys of the store to names of the bucket, and back.

    The filter applies to keys; the transformation is applied afterwards.
    """

    filtering: PrefixFilter | None = None
    transformation: StripPrefix | None = None

    def __post_init__(self) -> None:
        for part, kind in ((self.filtering, PrefixFilter), (self.transformation, StripPrefix)):
            if part is not None and not isinstance(part, kind):
                raise InvalidInputError(f"expected a {kind.__name__}, got {type(part).__name__}: {part!r}")

    @property
    def stripped(self) -> str:
        """The prefix that is removed from keys."""
        return self.transformation.prefix if self.transformation else ""

    @property
    def prefix(self) -> str | None:
        """The prefix of all visible keys; None if the two prefixes contradict each other."""
        shorter, longer = sorted((self.filtering.prefix if self.filtering else "", self.stripped), key=len)
        return longer if longer.startswith(shorter) else None

    def prefix_of(self, beginning: str) -> str | None:
        """The prefix of all keys whose names start with `beginning`; None if none of them is visible."""
        prefix, wanted = self.prefix, self.stripped + beginning
        if prefix is None or not (wanted.startswith(prefix) or prefix.startswith(wanted)):
            return None
        return max(prefix, wanted, key=len)

    def shows(self, name: str) -> bool:
        """Whether an object can have this name."""
        return self.name_of(self.stripped + name) is not None

    def name_of(self, key: str) -> str | None:
        """The name of an object; None if it is not visible."""
        prefix = self.prefix
        if prefix is None or not key.startswith(prefix):
            return None
        return key[len(self.stripped):] or None

    def key_of(self, name: str) -> str:
        """The key of a name. Raises InvalidPathError if it is outside of the view."""
        name = as_path(name)
        key = self.stripped + name
        if not self.shows(name):
            raise InvalidPathError(f"the name {name!r} is outside of what this view shows"
                                   + (f": keys that start with {self.prefix!r}" if self.prefix else ""), path=key)
        return key

    # ---- JSON

    def to_json(self) -> dict[str, Any]:
        return {"filtering": self.filtering and {"prefix": self.filtering.prefix},
                "transformation": self.transformation and {"strip_prefix": self.transformation.prefix}}

    @classmethod
    def from_json(cls, known: Any) -> View:
        """Raises InvalidInputError if it is not a result of `to_json`."""
        try:
            filtering, transformation = known.get("filtering"), known.get("transformation")
            return cls(PrefixFilter(filtering["prefix"]) if filtering else None,
                       StripPrefix(transformation["strip_prefix"]) if transformation else None)
        except (AttributeError, KeyError, TypeError) as error:
            raise InvalidInputError(f"expected a dict from Bucket.to_json, got {type(known).__name__}: "
                                    f"{known!r}") from error


def substore(store: Store, directory: str) -> Store:
    """The part of `store` below `directory`, which ends with '/' or is ''."""
    if not directory:
        return store
    path = store.location.path or ""
    part = store.replace()
    part.location = store.location._replace(path=f"{path.rstrip('/')}/{directory}" if path else directory)
    return part
