"""Keys and paths of HDFS."""

from __future__ import annotations

from urllib.parse import quote

from cloudfiles.exceptions import InvalidPathError
from cloudfiles.interfaces.file.temporaries import is_temporary


def check_key(key: str, protocol: str) -> None:
    """Raises InvalidPathError for a key that cannot be the name of a file below the cloudpath.

    To HDFS `a//b` and `a/b` are the same, and a key with a '..' would be outside; names are UTF-8.
    """
    slashed = f"/{key}/"
    if "//" in slashed or "/./" in slashed or "/../" in slashed or "\0" in key or not _is_utf8(key):
        raise _invalid(key, protocol)
    if ".cloudfiles-" in key and any(map(is_temporary, key.split("/"))):
        raise InvalidPathError("the key looks like the name of a temporary file", path=key)


def check_prefix(prefix: str, protocol: str) -> bool:
    """Whether any valid key begins with `prefix`. Raises InvalidPathError for a prefix outside of the cloudpath."""
    if "/../" in f"/{prefix}" or "\0" in prefix or not _is_utf8(prefix):
        raise _invalid(prefix, protocol)
    return "//" not in f"/{prefix}" and "/./" not in f"/{prefix}"


def quote_path(path: str) -> str:
    """An absolute path as part of a request target."""
    return quote(path, safe="/")


def _is_utf8(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _invalid(key: str, protocol: str) -> InvalidPathError:
    return InvalidPathError(
        f"invalid key on {protocol}://: expected a relative path of names separated by single slashes, without '.', "
        f"'..' and NUL, in UTF-8, got {key!r}")
