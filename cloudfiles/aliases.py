"""Aliases: short protocol names for the start of a cloudpath.

`tigerdata://bucket/key` means `s3://https://td.princeton.edu/bucket/key`. Three are built
in; users add their own for the process (`add_alias`) or permanently (`add_persistent_alias`).
Permanent ones are stored in `aliases.json` in CLOUD_FILES_DIR or `~/.cloudfiles`:
`{"name": {"host": "s3://https://example.com/"}}`. The file is first read when a cloudpath has
an unknown protocol, and again when it has changed.
"""

from __future__ import annotations

import json
import os
import re
import threading
from collections import ChainMap
from collections.abc import Mapping
from typing import Any

from cloudfiles.exceptions import ConfigurationError, InvalidInputError
from cloudfiles.lib import FileSignature, file_signature, read_json_object, replace_file, settings_dir
from cloudfiles.protocols import FORMATS, PROTOCOLS, is_protocol

BUILT_IN: Mapping[str, str] = {
    "matrix": "s3://https://s3-hpcrc.rc.princeton.edu/",
    "tigerdata": "s3://https://td.princeton.edu/",
    "nokura": "s3://https://c10s.pni.princeton.edu/",
}

ALLOWED_PROTOCOLS: list[str] = [*PROTOCOLS, *BUILT_IN]
"""All currently known protocols, including aliases; updated in place."""

_NAME = r"(?a)[A-Za-z][\w+.\-]+"


def alias_file() -> str:
    """The file of the user's aliases."""
    return os.path.join(settings_dir(), "aliases.json")


def _checked(alias: str, host: str) -> str:
    """`host` as the start of a cloudpath, with a trailing slash. Raises InvalidInputError."""
    if not re.fullmatch(_NAME, alias):
        raise InvalidInputError(f"alias {alias!r}: expected at least two characters, each a letter, a digit, '+', '-', "
                                "'.' or '_'")
    if alias in PROTOCOLS or alias in FORMATS:
        raise InvalidInputError(f"alias {alias!r} is already the name of a protocol or a data format; choose another "
                                "name")
    if not is_protocol(host.partition("://")[0]) or not host.partition("://")[2]:
        raise InvalidInputError(
            f"alias {alias!r}: expected a cloudpath such as 's3://https://example.com/' or 'gs://bucket/', got "
            f"{host!r}")
    return host if host.endswith("/") else host + "/"


class AliasRegistry:
    """The aliases of this process. Added ones take precedence over those of the file, and these over built-in ones."""

    def __init__(self) -> None:
        self._added: dict[str, str] = {}
        self._saved: dict[str, str] = {}
        self._known = ChainMap(self._added, self._saved, dict(BUILT_IN))
        self._read: tuple[str, FileSignature | None] | None = None
        self._lock = threading.RLock()
        self.version = 0
        """The number of changes, so that values derived from an older state are not reused."""

    def target(self, name: str) -> str | None:
        """The target of the alias `name`, or None. Reads the file if the name is unknown."""
        if name not in self._known and name not in PROTOCOLS:
            self.update_from_file()
        return self._known.get(name)

    def add(self, alias: str, host: str) -> None:
        """Define `alias://` as `host` in this process; raises as `_checked`."""
        target = _checked(alias, host)
        with self._lock:
            self._added[alias] = target
            self._changed()

    def added(self) -> dict[str, str]:
        """The aliases that exist in this process only."""
        return dict(self._added)

    def known(self) -> dict[str, str]:
        """All aliases and their targets."""
        return dict(self._known)

    def replace_added(self, aliases: dict[str, str]) -> None:
        """In a worker process: use the aliases of the parent."""
        with self._lock:
            self._added.clear()
            self._added.update(aliases)
            self._changed()

    def save(self, alias: str, host: str) -> None:
        """Define `alias://` as `host` in this process and all later ones."""
        target = _checked(alias, host)
        with self._lock:
            self.update_from_file()
            self._write({**self._saved, alias: target})
            self._added.pop(alias, None)
            self._changed()

    def remove(self, alias: str) -> bool:
        """Remove `alias` from this process and from the file; returns whether it existed."""
        with self._lock:
            self.update_from_file()
            existed = self._added.pop(alias, None) is not None
            if alias in self._saved:
                self._write({name: target for name, target in self._saved.items() if name != alias})
                existed = True
            self._changed()
            return existed

    def update_from_file(self) -> None:
        """Read the alias file if it has not been read yet, or has changed."""
        path = alias_file()
        with self._lock:
            state = path, file_signature(path)
            if state == self._read:
                return
            self._replace_saved(_read_aliases(path) if state[1] else {})
            self._read = state

    def _write(self, aliases: dict[str, str]) -> None:
        path = alias_file()
        document = {alias: {"host": target} for alias, target in sorted(aliases.items())}
        replace_file(path, json.dumps(document, indent=2).encode())
        self._read = path, file_signature(path)
        self._replace_saved(aliases)

    def _replace_saved(self, aliases: dict[str, str]) -> None:
        self._saved.clear()
        self._saved.update(aliases)
        self._changed()

    def _changed(self) -> None:
        self.version += 1
        ALLOWED_PROTOCOLS[:] = [*PROTOCOLS, *self._known]


def _read_aliases(path: str) -> dict[str, str]:
    return {alias: _target_in(path, alias, entry) for alias, entry in read_json_object(path).items()}


def _target_in(path: str, alias: str, entry: Any) -> str:
    try:
        return _checked(alias, entry["host"])
    except (InvalidInputError, KeyError, TypeError, AttributeError) as error:
        raise ConfigurationError(
            f"{path}: invalid entry for alias {alias!r}: expected {{\"host\": "
            f"\"s3://https://example.com/\"}}") from error


registry = AliasRegistry()


def add_alias(alias: str, host: str) -> None:
    """Define `alias://` as the cloudpath `host` (`s3://https://example.com/`) in this process.

    Raises:
        InvalidInputError: the alias is not a valid name, or is that of a protocol or a data format; or `host` is not a
            cloudpath.
    """
    registry.add(alias, host)


def add_persistent_alias(alias: str, host: str) -> None:
    """Like `add_alias`, but also stores the alias in the alias file, which is replaced atomically.

    If two processes do this at the same time, one of the two aliases may be lost, but never the file.
    """
    registry.save(alias, host)


def remove_persistent_alias(alias: str) -> bool:
    """Remove an alias from this process and from the alias file; returns whether it existed."""
    return registry.remove(alias)


def update_aliases_from_file() -> None:
    """Read the alias file if it has not been read yet, or has changed.

    Raises:
        ConfigurationError: the file cannot be read, or has an invalid entry.
    """
    registry.update_from_file()
