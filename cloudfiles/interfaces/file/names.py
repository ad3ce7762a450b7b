"""Keys and local paths: valid keys, suffixes of encodings, symlinks."""

from __future__ import annotations

import os
from typing import TypeAlias

from cloudfiles.content_encoding import COMPRESSION_EXTENSIONS, normalize_encoding
from cloudfiles.exceptions import InvalidPathError, UnsupportedOperationError
from cloudfiles.interfaces.file.temporaries import is_temporary
from cloudfiles.values import NamedTuple

Variants: TypeAlias = tuple[tuple[str, str], ...]
"""Suffix and encoding of the files that may hold the object of a key. If two exist, the first one is read."""

BY_SUFFIX: Variants = (("", ""), *COMPRESSION_EXTENSIONS.items())
"""With `encoding_suffixes`: the file `x.gz` is the key `x` encoded as gzip."""

EXACT: Variants = (("", ""),)
"""Without: the key of a file is its name."""

_DIRECTORIES_KNOWN = 10_000

_SUFFIXES = {encoding: suffix for suffix, encoding in BY_SUFFIX}


class ObjectPath(NamedTuple):
    """The local path of an object without suffix, and the suffixes that its file may have."""

    path: str
    variants: Variants


def check_key(key: str) -> None:
    """Raises InvalidPathError for a key that `file://` cannot store, or that is outside of its root.

    To a file system `a//b`, `a/./b` and `a/b` are the same; as keys they differ, so only the last one is valid.
    """
    slashed = f"/{key}/"
    if "//" in slashed or "/./" in slashed or "/../" in slashed or "\0" in key or (os.sep != "/" and _is_foreign(key)):
        raise _to_error(key)
    if not key.isascii():
        _check_encodable(key)
    if ".cloudfiles-" in key and any(map(is_temporary, key.split("/"))):
        raise InvalidPathError("the key looks like the name of a temporary file", path=key)


def check_prefix(prefix: str) -> bool:
    """Whether any valid key begins with `prefix`. Raises InvalidPathError for a prefix outside of the root."""
    if prefix.startswith("/") or "\0" in prefix or "/../" in f"/{prefix}" or (os.sep != "/" and _is_foreign(prefix)):
        raise _to_error(prefix)
    return "//" not in prefix and "/./" not in f"/{prefix}"


def _is_foreign(key: str) -> bool:
    return os.sep in key or ":" in key  # Windows: directories, drives and alternate streams


def _check_encodable(key: str) -> None:
    try:
        os.fsencode(key)  # which accepts the surrogates that stand for undecodable bytes (PEP 383)
    except UnicodeEncodeError as error:
        raise InvalidPathError(f"the key {key!a} cannot be used as a file name: {error.reason}") from None


def _to_error(key: str) -> InvalidPathError:
    return InvalidPathError(
        "invalid key on file://: expected a relative path of names separated by single slashes, without '.', '..' and "
        f"NUL, got {key!r}")


def suffix_of(encoding: str, variants: Variants) -> str:
    """The suffix for `encoding`.

    Raises:
        UnsupportedCompressionType: the encoding is not known.
        UnsupportedOperationError: it is a list of encodings, or suffixes are not used.
    """
    suffix = _SUFFIXES.get(encoding)
    if suffix is None:
        suffix = _SUFFIXES.get(normalize_encoding(encoding) or "")
    if suffix and variants is EXACT:
        raise UnsupportedOperationError(
            f"file:// cannot store the content encoding {encoding!r} with encoding_suffixes=False; write the content "
            "without one, or compress it before it is put")
    if suffix is None:
        raise UnsupportedOperationError("file:// stores one content encoding, as a suffix; it cannot store "
                                        f"{encoding!r}")
    return suffix


def bare_name(name: str) -> str:
    """A file's name without the suffix of an encoding."""
    dot = name.rfind(".")
    return name[:dot] if dot > 0 and name[dot:] in COMPRESSION_EXTENSIONS else name


# ---- symlinks


class KeyResolver:
    """Finds the file that a write of a key replaces: symlinks in its directories are followed, one of its own name is
    not, unless `follow`. Each directory is looked at once."""

    def __init__(self, root: str, follow: bool = False) -> None:
        self._root = root
        self._follow = follow
        self._real_root = os.path.join(os.path.realpath(root), "")
        self._directories: dict[str, str] = {}

    def __call__(self, key: str) -> str:
        """The key of that file without symlinks, or its path if it is not below the root."""
        if self._follow and os.path.islink(self._root + key):
            return self._without_root(os.path.realpath(self._root + key))
        directory, _, name = key.rpartition("/")
        return self._resolved(directory) + name if directory else key

    def _resolved(self, directory: str) -> str:
        known = self._directories.get(directory)
        if known is None:
            above, _, name = directory.rpartition("/")
            known = (self._resolved(above) if "/" in directory else "") + name + "/"
            path = self._root + directory
            if os.path.islink(path):
                known = os.path.join(os.path.realpath(path), "")
            known = self._without_root(known)
            if len(self._directories) >= _DIRECTORIES_KNOWN:
                self._directories.clear()
            self._directories[directory] = known
        return known

    def _without_root(self, path: str) -> str:
        return (path[len(self._real_root):].replace(os.sep, "/")
                if os.path.isabs(path) and path.startswith(self._real_root) else path)
