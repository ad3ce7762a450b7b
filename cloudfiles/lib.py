"""Small helpers for local paths and files."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from functools import partial
from typing import Any

from cloudfiles.exceptions import ConfigurationError

open_private = partial(os.open, mode=0o600)
"""An `opener` of files that nobody else can read. In a function written in Python, a Ctrl-C would lose the
descriptor."""

StrPath = str | os.PathLike[str]
FileSignature = tuple[int, int, int]


def toabs(path: StrPath) -> str:
    """`path` as an absolute local path, with `~`, `.`, `..` and repeated slashes resolved."""
    return os.path.abspath(os.path.expanduser(path))


def mkdir(path: StrPath) -> str:
    """Create the directory `path` and its parents if necessary, and return it as an absolute path.

    Raises:
        FileExistsError: the path exists and is not a directory.
        OSError: it cannot be created.
    """
    absolute = toabs(path)
    os.makedirs(absolute, exist_ok=True)
    return absolute


def touch(path: StrPath) -> None:
    """Create `path` as an empty file, parents included, or set the times of an existing file to now."""
    absolute = toabs(path)
    mkdir(os.path.dirname(absolute))
    with open(absolute, "ab"):
        os.utime(absolute)


def settings_dir() -> str:
    """The directory of the user's aliases and secrets: CLOUD_FILES_DIR, or `~/.cloudfiles`."""
    return toabs(os.environ.get("CLOUD_FILES_DIR") or "~/.cloudfiles")


def file_signature(path: str) -> FileSignature | None:
    """Values that change when a file is rewritten or replaced: mtime (ns), inode and size. None if it is missing."""
    try:
        stat = os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise ConfigurationError(f"cannot access {path}: {error.strerror}") from error
    return stat.st_mtime_ns, stat.st_ino, stat.st_size


def parse_json_object(text: str | bytes, origin: str) -> dict[str, Any]:
    """The JSON object in `text`. Raises ConfigurationError naming `origin` and the position, never the text."""
    try:
        value = json.loads(text)
    except ValueError as error:
        where = f" (line {error.lineno}, column {error.colno})" if isinstance(error, json.JSONDecodeError) else ""
        # Not chained: a JSONDecodeError contains the whole text, which may be secret.
        raise ConfigurationError(f"{origin} is not valid JSON{where}") from None
    if not isinstance(value, dict):
        raise ConfigurationError(f"{origin}: expected a JSON object ({{...}}), got {type(value).__name__}")
    return value


def read_json_object(path: str) -> dict[str, Any]:
    """The JSON object in the file `path`. Raises ConfigurationError naming the file, never its content."""
    try:
        with open(path, "rb") as file:
            content = file.read()
    except OSError as error:
        raise ConfigurationError(f"cannot read {path}: {error.strerror}") from error
    return parse_json_object(content, path)


def replace_file(path: str, content: bytes) -> None:
    """Write `content` to `path` atomically: a crash at any point leaves the old or the new file."""
    mkdir(os.path.dirname(path))
    temporary = f"{path}.{os.urandom(8).hex()}"
    try:
        with open(temporary, "xb", opener=open_private) as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        with suppress(OSError):
            os.unlink(temporary)
        raise
