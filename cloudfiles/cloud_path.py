"""`CloudPath`: cloudpaths and keys with the operations of `pathlib.PurePath`, without I/O."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from fnmatch import fnmatchcase
from functools import cached_property, total_ordering
from typing import Any

from cloudfiles.exceptions import InvalidPathError, redact
from cloudfiles.lib import StrPath
from cloudfiles.paths import extract

_SCHEME = r"(?:[A-Za-z][A-Za-z0-9_+.\-]+://)+"  # compiled and kept by `re` when it is used


@total_ordering
class CloudPath:
    """A cloudpath such as `s3://bucket/dir/key`, or a key such as `dir/key`. It performs no I/O.

    Keys are text, not directories and files: `//`, `.`, `..`, `%20` and a leading slash are kept as they are, and are
    parts of their own. A single slash at the end, which says that a directory is meant, is not a part: paths with and
    without it have the same `name` and `parent`, but a different `str`, and are not equal.

    Paths can be compared, sorted, hashed, used as keys of a dict, and pickled. They are accepted wherever a cloudpath
    or, without a protocol, the path of an object is accepted.

    Args:
        segments: a cloudpath or key, and what is joined to it; see `joinpath`. `pathlib` paths are joined with '/',
            also those of Windows.

    Raises:
        InvalidPathError: (also a ValueError) the cloudpath is malformed.
    """

    def __init__(self, *segments: StrPath) -> None:
        first, *others = segments or ("",)
        self._text = _text(first)
        for other in others:
            self._text = _joined(self._text, other)
        if re.match(_SCHEME, self._text):
            extract(self._text)  # raises for what no store would accept

    # ---- text

    def __str__(self) -> str:
        return self._text

    def __fspath__(self) -> str:
        return self._text

    def as_posix(self) -> str:
        """The text of the path, as `str`."""
        return self._text

    def __repr__(self) -> str:
        return redact(f"{type(self).__name__}({self._text!r})")

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self._text,)

    def __eq__(self, other: object) -> bool:
        return self._text == other._text if isinstance(other, CloudPath) else NotImplemented

    def __lt__(self, other: object) -> bool:
        return self._text < other._text if isinstance(other, CloudPath) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._text)

    # ---- parts

    @cached_property
    def anchor(self) -> str:
        """What precedes the key: protocol, endpoint and bucket, such as 's3://bucket/'; '' for a key."""
        scheme = re.match(_SCHEME, self._text)
        if scheme is None:
            return ""
        found = extract(self._text)
        rest = self._text[scheme.end():]
        if found.alias is not None:
            return scheme[0]
        if found.protocol == "file":
            return scheme[0] + rest[:len(rest) - len(rest.lstrip("/"))][:1]
        return self._text[:len(self._text) - len(found.path)] if found.path else self._text

    @property
    def key(self) -> str:
        """What follows the anchor."""
        return self._text[len(self.anchor):]

    @property
    def protocol(self) -> str:
        """The protocol, such as 's3'; '' for a key."""
        return extract(self._text).protocol if self.anchor else ""

    @property
    def bucket(self) -> str:
        """The bucket; '' if there is none."""
        return extract(self._text).bucket or "" if self.anchor else ""

    def is_absolute(self) -> bool:
        """Whether it has a protocol."""
        return bool(self.anchor)

    @cached_property
    def _names(self) -> tuple[str, ...]:
        """The parts of the key."""
        key = self.key.removesuffix("/")
        return tuple(key.split("/")) if key or self.key else ()

    @property
    def parts(self) -> tuple[str, ...]:
        """The anchor, if there is one, and the parts of the key."""
        return (self.anchor, *self._names) if self.anchor else self._names

    @property
    def name(self) -> str:
        """The last part of the key; '' if there is none."""
        return self._names[-1] if self._names else ""

    @property
    def suffix(self) -> str:
        """The end of the name from its last dot on; '' if it has none."""
        dot = self.name.rfind(".")
        return self.name[dot:] if 0 < dot < len(self.name) - 1 else ""

    @property
    def suffixes(self) -> list[str]:
        """All suffixes of the name."""
        return [] if self.name.endswith(".") else ["." + part for part in self.name.lstrip(".").split(".")[1:]]

    @property
    def stem(self) -> str:
        """The name without its suffix."""
        return self.name.removesuffix(self.suffix) if self.suffix else self.name

    @property
    def parent(self) -> CloudPath:
        """The path without its last part; the same path, if it has no parts but the anchor."""
        return self._of(self._names[:-1])

    @property
    def parents(self) -> Sequence[CloudPath]:
        """The parent, its parent, and so on."""
        return tuple(self._of(self._names[:count]) for count in reversed(range(len(self._names))))

    def _of(self, names: Sequence[str]) -> CloudPath:
        """The path of the first parts, without a slash at the end, unless the last part is empty."""
        key = "/".join(names)
        return CloudPath(self.anchor + key + ("/" if names and not names[-1] else ""))

    # ---- other paths

    def joinpath(self, *others: StrPath) -> CloudPath:
        """Append parts. A `CloudPath` with a protocol replaces what precedes it; a str never does, nor does one that
        begins with a slash, because keys may do so."""
        return CloudPath(self, *others)

    def __truediv__(self, other: StrPath) -> CloudPath:
        return CloudPath(self, other) if isinstance(other, str | os.PathLike) else NotImplemented

    def __rtruediv__(self, other: StrPath) -> CloudPath:
        return CloudPath(other, self) if isinstance(other, str | os.PathLike) else NotImplemented

    def with_name(self, name: str) -> CloudPath:
        """The path with another name. Raises InvalidPathError if it has none, or the new one is empty or has a '/'."""
        if not self._names or not name or "/" in name:
            raise InvalidPathError(f"cannot give {self!r} the name {name!r}")
        return CloudPath(self.anchor + "/".join((*self._names[:-1], name)))

    def with_stem(self, stem: str) -> CloudPath:
        """The path with another name before the suffix. Raises InvalidPathError."""
        return self.with_name(stem + self.suffix)

    def with_suffix(self, suffix: str) -> CloudPath:
        """The path with another suffix, or without one for ''. Raises InvalidPathError."""
        if suffix and (not suffix.startswith(".") or suffix == "."):
            raise InvalidPathError(f"expected a suffix such as '.txt', got {suffix!r}")
        return self.with_name(self.stem + suffix)

    def relative_to(self, *other: StrPath) -> CloudPath:
        """The key of this path below another one. Raises InvalidPathError (also a ValueError) if it is not below it."""
        base = CloudPath(*other)
        if not self.is_relative_to(base):
            raise InvalidPathError(f"{self!r} is not below {base!r}")
        key = "/".join(self._names[len(base._names):])
        return CloudPath(key + "/" if key and self.key.endswith("/") else key)

    def is_relative_to(self, *other: StrPath) -> bool:
        """Whether it is another path, or below it."""
        base = CloudPath(*other)
        same = self.anchor.removesuffix("/") == base.anchor.removesuffix("/")
        return same and self._names[:len(base._names)] == base._names

    def match(self, pattern: StrPath) -> bool:
        """Whether the last parts match those of a glob, in which `*` matches within a part; all parts, if the glob has
        a protocol. Raises InvalidPathError for an empty glob."""
        glob = CloudPath(pattern)
        if not glob.parts:
            raise InvalidPathError("expected a glob, got an empty one")
        count = len(glob._names)
        if glob.anchor and (glob.anchor != self.anchor or count != len(self._names)):
            return False
        names = self._names[len(self._names) - count:]
        return count <= len(self._names) and all(map(fnmatchcase, names, glob._names))


def _text(segment: Any) -> str:
    if isinstance(segment, str):
        return str.__str__(segment)
    text = segment.as_posix() if hasattr(segment, "as_posix") else os.fspath(segment)
    if not isinstance(text, str):
        raise InvalidPathError(f"expected a path, got {type(segment).__name__}: {segment!r}")
    return text


def _joined(text: str, other: StrPath) -> str:
    if isinstance(other, CloudPath) and other.anchor:
        return str(other)
    part = _text(other)
    return part if not text else text + part if text.endswith("/") or not part else f"{text}/{part}"
