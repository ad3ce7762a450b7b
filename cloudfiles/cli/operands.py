"""The paths on the command line: cloudpaths and local paths, with or without globs, or `-` for a list of them."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import click

from cloudfiles import paths
from cloudfiles.addresses import split_object
from cloudfiles.cli.globs import is_glob, split_glob

_FILE_ROOT = "file:///"

STANDARD = "-"
"""Standard input or output in place of a path."""


@dataclass(frozen=True)
class Operand:
    """One path of the command line.

    Attributes:
        text: as it was given.
        directory: the cloudpath that `name` is relative to.
        name: the key; '' for `directory` itself.
        is_pattern: `name` is a glob.
        ends_in_slash: it can only be a directory.
    """

    text: str
    directory: str
    name: str
    is_pattern: bool = False
    ends_in_slash: bool = False

    @property
    def cloudpath(self) -> str:
        """Of the object or directory itself."""
        return below(self.directory, self.name) if self.name else self.directory

    @property
    def basename(self) -> str:
        """The last component; '' for a bucket, for `.` and for `..`, whose contents are meant."""
        return "" if _is_relative_name(self.text) else self.name.rpartition("/")[2]


def below(directory: str, key: str) -> str:
    """The cloudpath of a key below a directory, whatever the key contains."""
    before, after, quotes = _around(directory)
    if quotes:
        from cloudfiles.interfaces.http.urls import quote_key

        key = quote_key(key)
    return f"{before}{key}{after}"


@lru_cache
def _around(directory: str) -> tuple[str, str, bool]:
    """What comes before and after the keys below a directory, and whether they are quoted."""
    is_url = is_web(directory)
    url, mark, query = directory.partition("?") if is_url else (directory, "", "")
    return url if url.endswith("/") else url + "/", mark + query, is_url


def is_web(cloudpath: str) -> bool:
    """Whether it is a URL, in which keys are quoted and `?` begins the query."""
    return cloudpath.partition("://")[0].endswith(("http", "https"))


def operand(text: str, *, globs: bool = True) -> Operand:
    """Parse one path of the command line; without `globs`, `*`, `?` and `[` stand for themselves.

    Raises InvalidPathError, UnsupportedProtocolError, click.UsageError.
    """
    if not text:
        raise click.UsageError("expected a path, got an empty string")
    full = paths.absolute(text)
    protocol = paths.extract(full).protocol
    ends_in_slash = text.endswith("/") or (protocol == "file" and (text.endswith(os.sep) or _is_relative_name(text)))
    if globs and _has_glob(text, full, protocol):
        directory, pattern = split_glob(full)
        if directory.endswith((":", ":/")) or (protocol != "file" and paths.extract(directory).path is None):
            raise click.UsageError(f"{text}: globs are supported in paths, not in the names of buckets")
        root = _FILE_ROOT if directory in ("file:/", "file://") else directory
        return Operand(text, root, pattern, is_pattern=True, ends_in_slash=ends_in_slash)
    directory, name = _split(full)
    return Operand(text, directory, name, ends_in_slash=ends_in_slash or not name)


def _split(full: str) -> tuple[str, str]:
    """The cloudpath of the directory, and the name of the object or directory in it, without a final '/'."""
    extracted = paths.extract(full)
    path = extracted.path or ""
    if is_web(full):
        return split_object(full if path else full.rstrip("/") + "/")
    if extracted.protocol == "file":
        path = full.removeprefix(_FILE_ROOT)
    bucket = full[:full.rindex(path)] if path else full
    path = path.removesuffix("/")
    if path.startswith("/") or "//" in f"{path}/":  # empty components are part of the key, but not of a cloudpath
        return bucket, path
    directory, _, name = path.rpartition("/")
    return bucket + directory, name


def _has_glob(text: str, full: str, protocol: str) -> bool:
    """Whether to expand it: a local file whose name contains such characters is taken literally, and so are URLs, where
    `?` begins the query."""
    if is_web(full):
        return False
    return is_glob(full.partition("://")[2]) and not (protocol == "file" and os.path.lexists(os.path.expanduser(text)))


def _is_relative_name(text: str) -> bool:
    """Whether it names a directory by where it is, and not by its own name."""
    return text == "~" or os.path.basename(text.rstrip("/")) in (".", "..")


def operands(given: Sequence[str], *, globs: bool = True) -> list[Operand]:
    """Those of one command; `-` stands for the lines of standard input."""
    found: list[Operand] = []
    for text in given:
        found += from_input() if text == STANDARD else [operand(text, globs=globs)]
    return found


def from_input() -> list[Operand]:
    """The paths on standard input, one per line. They are names, as `ls` prints them, and never globs."""
    lines = (line.removesuffix("\n").removesuffix("\r") for line in sys.stdin)
    return [_exact(line) for line in lines if line]


def _exact(text: str) -> Operand:
    """The object of a path in which every character belongs to its key, a '/' at the end as well."""
    full = paths.absolute(text)
    extracted = paths.extract(full)
    if is_web(full) or extracted.protocol == "file" or not extracted.path:
        return operand(text, globs=False)
    return Operand(text, full[:full.rindex(extracted.path)], extracted.path)
