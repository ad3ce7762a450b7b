"""Listings. Cloud Storage lists in UTF-8 byte order of the names.

Source: Cloud Storage JSON API reference, "Objects: list".
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from cloudfiles.interfaces.gs.bucket import Bucket
from cloudfiles.interfaces.gs.requests import BucketRequest
from cloudfiles.interfaces.pages import Progress, check_names
from cloudfiles.types import ListEntry, ListPage

PAGE_ENTRIES = 1000  # the most that Cloud Storage gives at once

_FIELDS = "nextPageToken,prefixes,items(name,size,etag,updated)"


def list_page(bucket: Bucket, prefix: str, *, flat: bool, start_after: str | None, token: str | None,
              limit: int | None) -> ListPage:
    """One page of keys below the bucket's root, which is cut off."""
    # The server's startOffset counts the name itself in, which is then left out here.
    start = None if start_after is None else bucket.root + start_after
    most = min(limit or PAGE_ENTRIES, PAGE_ENTRIES)
    target = bucket.with_query(
        f"{bucket.bucket_target}/o", prefix=bucket.root + prefix or None, delimiter="/" if flat else None,
        startOffset=start or None, pageToken=token, maxResults=str(most), fields=_FIELDS)
    page: dict[str, Any] = bucket.client.send(
        BucketRequest(bucket.endpoint.origin, "GET", target, dialect=bucket.dialect))
    return _parse_page(page, bucket.root, prefix, start or "", flat=flat)


def resources_below(bucket: Bucket, prefix: str, fields: str) -> Iterator[dict[str, Any]]:
    """These fields of every object whose full name begins with `prefix`, page by page."""
    token: str | None = None
    progress = Progress(f"the listing of {prefix!r}")
    while True:
        target = bucket.with_query(f"{bucket.bucket_target}/o", prefix=prefix, pageToken=token,
                                   fields=f"nextPageToken,items({fields})")
        page: dict[str, Any] = bucket.client.send(
            BucketRequest(bucket.endpoint.origin, "GET", target, dialect=bucket.dialect))
        items = page.get("items") or []
        check_names([item["name"] for item in items], page.get("prefixes") or (), prefix, flat=False)
        yield from items
        token = page.get("nextPageToken")
        if not token:
            return
        progress.check(token, items[0]["name"] if items else None)


def _parse_page(page: dict[str, Any], root: str, prefix: str, start: str, *, flat: bool) -> ListPage:
    cut = len(root)
    common = page.get("prefixes") or []
    check_names([item["name"] for item in page.get("items") or ()], common, root + prefix, flat=flat)
    entries = [ListEntry(item["name"][cut:], int(item["size"]), item.get("etag"), item.get("updated"))
               for item in page.get("items") or () if item["name"] > start and len(item["name"]) > cut]
    return ListPage(entries, [name[cut:] for name in common], page.get("nextPageToken") or None)
