"""`dl`: full cloudpaths from many buckets, in one batch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cloudfiles.cloudfiles import CloudFiles
from cloudfiles.paths import find_common_buckets


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
    numbered = [{**_fields(item), "tags": (number, item)} for number, item in enumerate(items)]
    results: list[Any] = [None] * len(items)
    for bucket, wanted in find_common_buckets(numbered).items():
        for found in CloudFiles(bucket, **options).get(wanted, raw=raw, **of_get):
            number, item = found["tags"]
            fields = _fields(item)
            results[number] = {**found, "tags": fields.get("tags"), "fullpath": fields["path"]}
    return results[0] if scalar else results


def _fields(item: Any) -> dict[str, Any]:
    return dict(item) if isinstance(item, Mapping) else {"path": item}
