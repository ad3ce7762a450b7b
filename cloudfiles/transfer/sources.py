"""Checks that the source of a transfer exists: if it does not, that is probably a typo."""

from __future__ import annotations

import os

from cloudfiles import logger
from cloudfiles.batch.store import Store
from cloudfiles.exceptions import CloudFilesError, MissingObjectError, redact

_LOOKED_AT = 1000


def check_source(source: Store) -> None:
    """Raise MissingObjectError, with a suggestion, if the source does not exist.

    An empty directory exists. Object stores have no directories: an empty prefix cannot be distinguished from a missing
    one, so it is logged as a warning, unless it is the whole bucket.
    """
    exists = source.here().root_exists()
    if exists:
        return
    location = source.location
    path = (location.path or "").rstrip("/")
    if exists is None:
        if path:
            logger.warning("no objects below %s, the source of a transfer%s", redact(source.cloudpath),
                           _hint(source, path))
        return
    if location.protocol == "file" and os.path.lexists(path):
        raise MissingObjectError("the source is a file, not a directory; to transfer it, pass its directory as source "
                                 "and its name in paths=", store=redact(source.cloudpath))
    raise MissingObjectError(f"the source directory does not exist{_hint(source, path)}",
                             store=redact(source.cloudpath))


def _hint(source: Store, path: str) -> str:
    """The most similar name next to it."""
    above, _, name = path.rpartition("/")
    import difflib  # here, as it is only needed for errors

    try:
        near = difflib.get_close_matches(name, _names_in(source, above, name), 1)
    except (CloudFilesError, OSError):
        return ""
    return f"; did you mean {redact(source.cloudpath).rstrip('/').removesuffix(name)}{near[0]}?" if near else ""


def _names_in(source: Store, above: str, name: str) -> list[str]:
    if source.location.protocol == "file":
        return os.listdir(above or "/")
    cloudpath = source.cloudpath.rstrip("/").removesuffix(name)
    page = source.at(cloudpath).here().list_page(flat=True, limit=_LOOKED_AT)
    return [prefix.rstrip("/") for prefix in page.prefixes]
