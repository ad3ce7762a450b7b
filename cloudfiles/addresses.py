"""The store and the key of a full cloudpath."""

from __future__ import annotations

import posixpath
from urllib.parse import unquote

from cloudfiles.lib import StrPath
from cloudfiles.paths import absolute, dirname, extract, find_common_buckets

_FILE_ROOT = "file:///"


def split_object(cloudpath: StrPath) -> tuple[str, str]:
    """The cloudpath of an object's directory, and its key in it.

    A web address is a URL: the name is decoded, and the query stays with the directory.
    """
    cloudpath = absolute(cloudpath)
    if _is_web(cloudpath):
        url, mark, query = cloudpath.partition("?")
        directory, name = posixpath.split(url)
        return f"{directory}/{mark}{query}", unquote(name)
    directory = dirname(cloudpath)
    if directory == "file:":  # directly below the root of the file system
        return _FILE_ROOT, cloudpath.removeprefix(_FILE_ROOT)
    return directory, cloudpath[len(directory):].removeprefix("/")


def split_bucket(cloudpath: StrPath) -> tuple[str, str]:
    """The cloudpath of an object's bucket (or host, or first directory), and its key in it."""
    cloudpath = absolute(cloudpath)
    if _is_web(cloudpath):
        url, mark, query = cloudpath.partition("?")
        scheme, _, rest = url.partition("://")
        host, _, path = rest.partition("/")
        return f"{scheme}://{host}/{mark}{query}", unquote(path)
    (bucket, items), = find_common_buckets(cloudpath).items()
    return bucket, items[0]["path"]


def _is_web(cloudpath: str) -> bool:
    return extract(cloudpath).protocol.endswith(("http", "https"))
