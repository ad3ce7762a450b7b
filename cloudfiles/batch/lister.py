"""Listings as iterators: page by page, resumable."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any

from cloudfiles.interfaces.base import Interface
from cloudfiles.types import ListPage


def list_paths(interface: Interface, prefix: str = "", flat: bool = False, size: bool = False,
               return_resume_token: bool = False, resume_token: str | None = None) -> Iterator[Any]:
    """See `CloudFiles.list`. Sends no request before the first item is requested."""
    token = resume_token
    for page in interface.pages(prefix, flat=flat, token=resume_token):
        for path, stored_bytes in _opened(interface, prefix, page):
            fields = (path, *((stored_bytes,) if size else ()), *((token,) if return_resume_token else ()))
            yield fields if len(fields) > 1 else path
        token = page.next_token


def _opened(interface: Interface, prefix: str, page: ListPage) -> Iterable[tuple[str, int | None]]:
    """The keys and directories of a page. The directory that `prefix` itself names is replaced by its contents."""
    found: list[tuple[str, int | None]] = [(entry.key, entry.size) for entry in page.entries]
    if not page.prefixes:
        return found
    found += [(directory, None) for directory in page.prefixes]
    found.sort()
    own = prefix + "/" if prefix else None
    return chain.from_iterable(list_paths(interface, path, flat=True, size=True) if path == own else ((path, size),)
                               for path, size in found)
