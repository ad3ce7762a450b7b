"""Validation of user input: paths, fields of dicts, header values, contents."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Collection, Mapping
from collections.abc import Set as AbstractSet
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol, TypeAlias

from cloudfiles.exceptions import ConfigurationError, InvalidInputError
from cloudfiles.lib import StrPath

if TYPE_CHECKING:
    from typing_extensions import Buffer  # part of the type checkers; collections.abc has it since Python 3.12

ReadRequest: TypeAlias = "StrPath | Mapping[str, Any]"
"""A path, or `{'path', 'start', 'end', 'tags'}`."""


TransferRequest: TypeAlias = "StrPath | tuple[StrPath, StrPath] | Mapping[str, Any]"
"""A path, `(path, dest_path)` or `{'path', 'dest_path'}`."""

KeyPattern: TypeAlias = "str | re.Pattern[str] | Callable[[str], object]"
"""A glob (`*` also matches slashes), a compiled regular expression, or a function of the key."""

KeyPatterns: TypeAlias = "KeyPattern | list[KeyPattern] | tuple[KeyPattern, ...] | AbstractSet[KeyPattern]"


class BinaryReader(Protocol):
    """A binary file open for reading, or anything else with its `read`."""

    def read(self, size: int = ..., /) -> bytes: ...


class ArrayLike(Protocol):
    """A numpy array, for Python versions before 3.12 whose type stubs do not declare buffers."""

    def tobytes(self) -> bytes: ...


PutContent: TypeAlias = "Buffer | str | BinaryReader | BinaryIO | ArrayLike"
"""Content to store: bytes or another C-contiguous buffer, a str (stored as UTF-8), or an open binary file."""

PutRequest: TypeAlias = "tuple[StrPath, PutContent] | Mapping[str, Any]"
"""`(path, content)`, or a dict with 'path', 'content' and options of `CloudFiles.puts`."""

RawPutRequest: TypeAlias = "tuple[StrPath, object] | Mapping[str, Any]"
"""The same with any content: values for JSON, or Python objects put to `mem://` with `raw=True`."""


def is_path(value: Any) -> bool:
    """Whether it is one path, not an iterable of paths."""
    return isinstance(value, str) or isinstance(value, os.PathLike)  # noqa: SIM101 -- faster; called for every item


def as_path(value: Any) -> str:
    """A path as a plain str: the text of a subclass (`np.str_`, a str Enum), or the parts of a pathlib path.

    Raises InvalidInputError for anything else.
    """
    if type(value) is str:
        return value
    if isinstance(value, str):
        return str.__str__(value)  # not str(value), which is the name of a str Enum
    from pathlib import PurePath  # imported here because it takes 4 ms, with urllib.parse

    if isinstance(value, PurePath):
        return value.as_posix()
    if getattr(value, "anchor", ""):  # of a CloudPath
        raise InvalidInputError(f"expected the path of an object below the cloudpath, got a whole one: {value!r} (see "
                                "its `relative_to`)")
    plain = os.fspath(value) if isinstance(value, os.PathLike) else value
    if not isinstance(plain, str):
        raise InvalidInputError(f"expected a path (a str or a pathlib.Path), got {type(value).__name__}: {value!r}")
    return str.__str__(plain)


def check_fields(item: Mapping[Any, Any], known: Collection[str], carried: Collection[str] = ()) -> None:
    """Raise InvalidInputError if a dict has unknown fields; the message lists the known ones.

    carried: fields that are ignored.
    """
    unknown = [field for field in item if field not in known and field not in carried]
    if unknown:
        raise InvalidInputError(f"unknown field {', '.join(map(repr, unknown))} in a dict; known fields: "
                                f"{', '.join(map(repr, known))}", path=_shown_path(item))


def _shown_path(item: Mapping[Any, Any]) -> str | None:
    path = item.get("path")
    return as_path(path) if is_path(path) else None


def given(value: Any) -> Any:
    """`value`, but None for False and '', which many programs pass for options that are not set."""
    return None if value is False or value == "" else value


# ---- the environment


def environment_count(name: str, default: int) -> int:
    """The environment variable `name`, a positive integer; `default` if it is not set or empty.

    Raises ConfigurationError if it is anything else.
    """
    text = os.environ.get(name, "").strip()
    if not text:
        return default
    if not (text.isascii() and text.isdigit() and int(text)):
        raise ConfigurationError(f"{name} in the environment: expected an integer >= 1, got {text!r}")
    return int(text)


# ---- header values


def check_header(name: str, value: Any) -> None:
    """Raise InvalidInputError unless `value` can be stored and sent in a header: one line of printable text.

    A line break or a NUL would end the header, and the rest would be interpreted as another header.
    """
    if not isinstance(value, str) or not value.isprintable() or value != value.strip():
        raise InvalidInputError(f"{name} {value!r} cannot be stored: expected one line of printable text without "
                                "leading or trailing spaces")


def ascii_header(name: str, value: Any) -> str:
    """`value`, if it can be sent in a header. Raises InvalidInputError otherwise."""
    check_header(name, value)
    if not value.isascii():
        raise InvalidInputError(f"{name} {value!r} cannot be sent in a header: expected printable ASCII without "
                                "leading or trailing spaces")
    text: str = value
    return text


def check_metadata(metadata: Any) -> None:
    """Raise InvalidInputError unless names and values of user-defined metadata can be sent as headers."""
    if not isinstance(metadata, Mapping):
        raise InvalidInputError(f"expected a dict as metadata, got {type(metadata).__name__}: {metadata!r}")
    for name, value in metadata.items():
        check_header("metadata name", name)
        check_header(f"metadata {name!r}", value)
        if not name:
            raise InvalidInputError("metadata names must not be empty")


# ---- contents


def as_buffer(content: Any) -> memoryview | bytes | None:
    """The bytes of a numpy array, or of any other object with a buffer; None if it has none.

    Raises InvalidInputError if the buffer is not C-contiguous, because the order of its bytes would be ambiguous.
    """
    try:
        view = memoryview(content)
    except (TypeError, ValueError):  # no buffer, or one that cannot be exported, such as numpy's datetimes
        return None
    if not view.c_contiguous:
        raise InvalidInputError(f"the {type(content).__name__} is not C-contiguous; convert it with "
                                "numpy.ascontiguousarray()")
    return view.cast("B") if view.nbytes else b""


def check_readable(file: Any, path: str) -> None:
    """Raise InvalidInputError if an open file cannot be read, or has content but is positioned at its end.

    Such a file was most likely just written, and storing an empty object would go unnoticed. It is not rewound, because
    its position may be intentional. An empty file is accepted.
    """
    if callable(getattr(file, "readable", None)) and not file.readable():
        raise InvalidInputError("the file is not open for reading; open it with mode 'rb'", path=path)
    try:
        if not file.seekable():
            return
        at = file.tell()
        end = file.seek(0, os.SEEK_END)
        file.seek(at)
    except (AttributeError, OSError, ValueError):
        return  # unknown until it is read
    if end and at >= end:
        raise InvalidInputError(f"the file is positioned at its end ({at} bytes), so nothing would be stored; call "
                                "seek(0) on it first", path=path)
