"""How keys become local paths: which keys there are, what their suffixes mean, what temporaries are called."""

from __future__ import annotations

import itertools
import os
import re
from typing import TypeAlias

from cloudfiles.compression import COMPRESSION_EXTENSIONS, normalize_encoding
from cloudfiles.exceptions import InvalidPathError, UnsupportedOperationError

Variants: TypeAlias = tuple[tuple[str, str], ...]
"""Suffix and encoding of the files that may hold one key's object. Where two exist, the first one is read."""

BY_SUFFIX: Variants = (("", ""), *COMPRESSION_EXTENSIONS.items())
"""With `encoding_suffixes`: the file `x.gz` is the key `x` encoded as gzip."""

EXACT: Variants = (("", ""),)
"""Without: every file has its own name."""

_DIRECTORIES_KNOWN = 10_000

_SUFFIXES = {encoding: suffix for suffix, encoding in BY_SUFFIX}

# The name does not contain the key's: a key may be as long as a name can be.
_TEMPORARY = re.compile(r"\.cloudfiles-[0-9a-f]+-[0-9a-f]{16}-[0-9a-f]+\.tmp")
_process_token = os.urandom(8).hex()
_counter = itertools.count()
_mark = f"{os.getpid():x}-{_process_token}"


def _renew_mark() -> None:
    global _mark
    _mark = f"{os.getpid():x}-{_process_token}"


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_mark)


def check_key(key: str) -> None:
    """Raises InvalidPathError for a key that `file://` cannot hold, or that would leave its root.

    A file system reads `a//b`, `a/./b` and `a/b` as one; as keys they differ, so only the last one is taken.
    """
    slashed = f"/{key}/"
    if "//" in slashed or "/./" in slashed or "/../" in slashed or "\0" in key or (os.sep != "/" and _is_foreign(key)):
        raise _to_error(key)
    if ".cloudfiles-" in key and any(map(is_temporary, key.split("/"))):
        raise InvalidPathError("the key looks like the name of a temporary file", path=key)


def check_prefix(prefix: str) -> bool:
    """Whether any key can begin with `prefix`. Raises InvalidPathError for one that would leave the root."""
    if prefix.startswith("/") or "\0" in prefix or "/../" in f"/{prefix}" or (os.sep != "/" and _is_foreign(prefix)):
        raise _to_error(prefix)
    return "//" not in prefix and "/./" not in f"/{prefix}"


def _is_foreign(key: str) -> bool:
    return os.sep in key or ":" in key  # on Windows: directories, drives and alternate streams


def _to_error(key: str) -> InvalidPathError:
    return InvalidPathError(
        "invalid key on file://: expected a relative path of names separated by single slashes, without '.', '..' and "
        f"NUL, got {key!r}")


def suffix_of(encoding: str, variants: Variants) -> str:
    """The suffix that shows `encoding`.

    Raises:
        UnsupportedCompressionType: the encoding is not known.
        UnsupportedOperationError: it is a list of several, or suffixes show no encodings.
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


def process_mark() -> str:
    """What the names of all temporary files of this process have in common, and those of no other."""
    return _mark


def temporary_name() -> str:
    """A new name for a file that is being written. Listings never show it."""
    return f".cloudfiles-{_mark}-{next(_counter):x}.tmp"


def mark_of(name: str) -> str:
    """The mark of the process that a temporary file is of; '' where it is none."""
    return name[len(".cloudfiles-"):].rpartition("-")[0] if is_temporary(name) else ""


def is_temporary(name: str) -> bool:
    return name.startswith(".cloudfiles-") and _TEMPORARY.fullmatch(name) is not None


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


# ---- order


def order_of(key: str) -> bytes:
    """What keys are ordered by: their bytes in the file system, UTF-8 for all but names that are not text."""
    try:
        return os.fsencode(key)
    except UnicodeEncodeError:
        return key.encode("utf-8", "surrogatepass")
