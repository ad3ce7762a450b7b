"""A listing as an iterator: a page at a time, resumable."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any

from cloudfiles.interfaces.base import Interface
from cloudfiles.types import ListPage


def list_paths(interface: Interface, prefix: str = "", flat: bool = False, size: bool = False,
               return_resume_token: bool = False, resume_token: str | None = None) -> Iterator[Any]:
    """Lazily what `CloudFiles.list` documents. No request is made before the first item is asked for."""
    token = resume_token
    for page in interface.pages(prefix, flat=flat, token=resume_token):
        for path, stored_bytes in _opened(interface, prefix, page):
            fields = (path, *((stored_bytes,) if size else ()), *((token,) if return_resume_token else ()))
            yield fields if len(fields) > 1 else path
        token = page.next_token


def _opened(interface: Interface, prefix: str, page: ListPage) -> Iterable[tuple[str, int | None]]:
    """Keys and directories of a page; of the directory that `prefix` itself names, what is in it."""
    found: list[tuple[str, int | None]] = [(entry.key, entry.size) for entry in page.entries]
    if not page.prefixes:
        return found
    found += [(directory, None) for directory in page.prefixes]
    found.sort()
    own = prefix + "/" if prefix else None
    return chain.from_iterable(list_paths(interface, path, flat=True, size=True) if path == own else ((path, size),)
                               for path, size in found)
