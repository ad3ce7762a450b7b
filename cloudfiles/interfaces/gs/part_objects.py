"""Parts of an upload as objects of their own: sent, found again, composed into one, and removed.

Source: Cloud Storage docs, "Parallel composite uploads" and "Composite objects".
"""

from __future__ import annotations

import hashlib
import itertools
import logging
import uuid
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from cloudfiles import integrity
from cloudfiles.exceptions import CloudFilesError, PreconditionFailedError, ServerError
from cloudfiles.interfaces.gs.bucket import GsBucket
from cloudfiles.interfaces.gs.bulk_delete import MAX_BATCH, delete_names
from cloudfiles.interfaces.gs.copy import MAX_COMPOSED, compose
from cloudfiles.interfaces.gs.listing import resources_below
from cloudfiles.interfaces.gs.resource import size_of, stored_crc
from cloudfiles.interfaces.gs.upload import check_made, crc_of, find_own_write, put_resource
from cloudfiles.runtime.base import Cancelled
from cloudfiles.runtime.cancellation import shielded

PARTS_PREFIX = "cloudfiles-upload-parts/"
"""What the names of parts begin with, at the bucket's root: a lifecycle rule finds what a killed process leaves."""

_SHOWN = 32
"""Parts that a warning names at most."""

_NAMED = 800  # bytes of an object's name that the names of its parts repeat

log = logging.getLogger("cloudfiles")


class PartName(NamedTuple):
    """The name of a part, taken apart.

    Attributes:
        place: what the parts of all uploads of one object begin with, see `parts_prefix`.
        upload: the upload's id.
        level: 0 for a part, more for what was composed of parts.
        number: from 1.
    """

    place: str
    upload: str
    level: int
    number: int

    @classmethod
    def parse(cls, name: str) -> PartName | None:
        """None for a name that is no part's."""
        place, _, rest = name.rpartition("/")
        place, _, upload = place.rpartition("/")
        level, _, number = rest.partition("-")
        return cls(place, upload, int(level), int(number)) if level.isdecimal() and number.isdecimal() else None


def parts_prefix(name: str) -> str:
    """Where the parts of the object of this full name are."""
    short = parts_prefix_below(name)
    if short == PARTS_PREFIX + name:
        return short
    return f"{short}.{hashlib.sha256(name.encode('utf-8', 'surrogateescape')).hexdigest()[:32]}"


def parts_prefix_below(name: str) -> str:
    """What the parts of all objects begin with whose full names begin with `name`: names have 1024 bytes at most."""
    return PARTS_PREFIX + name.encode("utf-8", "surrogateescape")[:_NAMED].decode("utf-8", "ignore")


_Source = tuple[str, str | None]
"""The name of a part, and its generation where the server told one."""


class PartObjects:
    """The parts of one upload.

    Attributes:
        upload: names it, in 32 hexadecimal digits.
    """

    def __init__(self, bucket: GsBucket, key: str, upload: str | None = None) -> None:
        self.upload = upload or uuid.uuid4().hex
        self._bucket = bucket
        self._key = key
        self._prefix = f"{parts_prefix(bucket.full_name(key))}/{self.upload}/"
        self._names: set[str] = set()  # all that may exist
        self._sent: dict[int, _Source] = {}

    def find(self) -> dict[int, tuple[int, bytes]]:
        """The parts that are there: bytes and crc32c by their numbers. They count as sent."""
        found = {}
        for resource in resources_below(self._bucket, self._prefix, "name,size,generation,crc32c"):
            name = resource["name"]
            self._names.add(name)
            part = PartName.parse(name)
            if part is not None and part.level == 0 and "crc32c" in resource:
                self._sent[part.number] = name, resource.get("generation")
                found[part.number] = size_of(resource), stored_crc(resource, self._key)
        return found

    def send(self, number: int, part: integrity.Buffer) -> bytes:
        """Store a part, whose crc32c the server checks; gives it."""
        name, crc = self._name(number), crc_of(self._bucket, part)
        written = put_resource(self._bucket, self._key, name, {}, part, crc)
        self._sent[number] = name, written.get("generation")
        return crc

    def _name(self, number: int, level: int = 0) -> str:
        name = f"{self._prefix}{level}-{number:06}"
        self._names.add(name)
        return name

    def compose(self, resource: dict[str, Any], condition: str | None, crc: bytes, size: int) -> dict[str, Any]:
        """Make the object of the parts: of 32 at once, of more by way of objects made of 32 each.

        crc, size: what it is to have. Gives its WRITTEN fields.
        """
        sources: Sequence[_Source] = [source for _, source in sorted(self._sent.items())]
        for level in itertools.count(1):
            if len(sources) <= MAX_COMPOSED:
                break
            sources = [self._compose_group(sources[at:at + MAX_COMPOSED], level, at)
                       for at in range(0, len(sources), MAX_COMPOSED)]
        request = compose(self._bucket, self._key, self._bucket.full_name(self._key), sources, resource, condition)
        try:
            written: dict[str, Any] | None = self._bucket.client.send(request)
        except PreconditionFailedError:
            written = find_own_write(self._bucket, self._key, crc, size) if request.may_have_acted else None
            if written is None:
                raise
        if written is None:
            raise self._lost()
        check_made(self._bucket, self._key, written, crc, size)
        return written

    def _compose_group(self, sources: Sequence[_Source], level: int, at: int) -> _Source:
        name = self._name(at, level)
        written = self._bucket.client.send(compose(self._bucket, self._key, name, sources, {}))
        if written is None:
            raise self._lost()
        return name, written.get("generation")

    def _lost(self) -> CloudFilesError:
        return ServerError("a part of the upload was deleted before it was composed: does a lifecycle rule delete "
                           f"objects below {PARTS_PREFIX!r} too early?", status=404, path=self._key)

    def clean(self) -> None:
        """Remove the parts. Best effort: what led here is what counts, and a warning names those that stay."""
        names = sorted(self._names)
        errors: dict[str, CloudFilesError | Cancelled] = {}
        for at in range(0, len(names), MAX_BATCH):
            batch = names[at:at + MAX_BATCH]
            try:
                with shielded():
                    errors.update(delete_names(self._bucket, {name: name for name in batch}))
            except (CloudFilesError, Cancelled) as error:
                errors.update(dict.fromkeys(names[at:], error))
                break
        if errors and self._sent:  # else most likely nothing was stored: no such bucket, no right to write
            self._warn(errors)

    def _warn(self, errors: Mapping[str, CloudFilesError | Cancelled]) -> None:
        error = next(iter(errors.values()))
        more = f" and {len(errors) - _SHOWN} more below {self._prefix}" if len(errors) > _SHOWN else ""
        log.warning("gs://%s/%s: %d parts of the upload could not be removed; they may remain until discard_partial() "
                    "or a lifecycle rule removes them: %s%s (%s: %s)", self._bucket.name, self._key,
                    len(errors), ", ".join(list(errors)[:_SHOWN]), more, type(error).__name__, error)
