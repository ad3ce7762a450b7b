"""Full cloudpaths: which store each lies in, and `dl`, which reads from many at once."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

from cloudfiles.cloudfiles import CloudFiles
from cloudfiles.paths import dirname, extract, find_common_buckets, normalize


def split_object(cloudpath: str) -> tuple[str, str]:
    """The cloudpath of an object as those of its directory, and its key in it.

    A web address is a URL: its name is decoded, and its query stays with the directory.
    """
    cloudpath = normalize(cloudpath)
    if _is_web(cloudpath):
        url, mark, query = cloudpath.partition("?")
        directory, name = posixpath.split(url)
        return f"{directory}/{mark}{query}", unquote(name)
    directory = dirname(cloudpath)
    return directory, cloudpath[len(directory):].removeprefix("/")


def split_bucket(cloudpath: str) -> tuple[str, str]:
    """The cloudpath of an object as that of its bucket (its host, its first directory), and its key in it."""
    cloudpath = normalize(cloudpath)
    if _is_web(cloudpath):
        url, mark, query = cloudpath.partition("?")
        scheme, _, rest = url.partition("://")
        host, _, path = rest.partition("/")
        return f"{scheme}://{host}/{mark}{query}", unquote(path)
    (bucket, items), = find_common_buckets(cloudpath).items()
    return bucket, items[0]["path"]


def _is_web(cloudpath: str) -> bool:
    return extract(cloudpath).protocol.endswith(("http", "https"))


def dl(cloudpaths: Any, raw: bool = False, **options: Any) -> Any:
    """Contents of objects by full cloudpath, wherever each lies.

    Args:
        cloudpaths: a cloudpath or an iterable of them; a dict with 'path', 'start', 'end' asks for a byte range.
        raw: stored bytes as they are.
        options: those of `CloudFiles` and of `CloudFiles.get`.

    Returns:
        A result of `CloudFiles.get` with 'fullpath' besides, or a list of them in the order given.
    """
    scalar = isinstance(cloudpaths, str | Mapping)
    items = [cloudpaths] if scalar else list(cloudpaths)
    of_get = {name: options.pop(name) for name in ("progress", "raise_errors", "max_decoded_size") if name in options}
    buckets: dict[str, list[dict[str, Any]]] = {}
    for number, item in enumerate(items):
        fields = dict(item) if isinstance(item, Mapping) else {"path": item}
        bucket, key = split_bucket(fields["path"])
        buckets.setdefault(bucket, []).append({**fields, "path": key, "tags": (number, fields)})
    results: list[Any] = [None] * len(items)
    for bucket, wanted in buckets.items():
        for found in CloudFiles(bucket, **options).get(wanted, raw=raw, **of_get):
            number, fields = found["tags"]
            results[number] = {**found, "tags": fields.get("tags"), "fullpath": fields["path"]}
    return results[0] if scalar else results
