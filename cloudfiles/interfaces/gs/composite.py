"""Parallel composite uploads: parts are separate objects, which are composed into one and removed.

A process that resumes an upload finds the parts already sent by a listing, with the digests that the server checked.

Source: Cloud Storage docs, "Parallel composite uploads" and "Composite objects".
"""

from __future__ import annotations

import hashlib
import itertools
import math
import os
import secrets
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, NamedTuple

from cloudfiles import integrity, logger
from cloudfiles.crc import combine
from cloudfiles.exceptions import CloudFilesError, PreconditionFailedError, ServerError
from cloudfiles.interfaces.gs.bulk_delete import MAX_BATCH, delete_names
from cloudfiles.interfaces.gs.copy import MAX_COMPOSED, compose
from cloudfiles.interfaces.gs.listing import resources_below
from cloudfiles.interfaces.gs.objects import (
    GsBucket,
    condition_of,
    crc_of,
    find_own_write,
    put_resource,
    verify_assembled,
)
from cloudfiles.interfaces.gs.resource import etag_of, resource_of, seconds, size_of, stored_crc
from cloudfiles.interfaces.multipart import MultipartUpload, UploadWriter, send_parts, size_of_part
from cloudfiles.interfaces.part_writer import InterruptedWrites, PartLayout, PartWriter
from cloudfiles.runtime.cancellation import shielded
from cloudfiles.runtime.contract import Cancelled
from cloudfiles.types import WriteOptions

PART = 16 << 20
"""Size of a part in bytes. Each part costs two operations, and eight are in memory at once."""

_PLANNED = 8192
"""Maximum number of parts of content of known size, which are composed in up to three steps. For a terabyte, they have
128 MiB each, so that several fit in memory."""

_GROWS_EVERY = 1000
"""Number of parts after which the size doubles for content of unknown size."""

PARTS_PREFIX = "cloudfiles-upload-parts/"
"""Prefix of the names of parts, at the root of the bucket, so that a lifecycle rule can remove leftover ones."""

_SHOWN = 32
"""Maximum number of parts named in a warning."""

_NAMED = 800  # bytes of an object's name that are repeated in the names of its parts


def part_size(number: int, size: int | None) -> int:
    """Size of part `number` (from 1) of content of `size` bytes; all are equal if the size is known.

    >>> part_size(1, 10 << 30) >> 20, part_size(1, 1 << 40) >> 20, part_size(2500, None) >> 20
    (16, 128, 64)
    """
    return size_of_part(number, size, PART, _PLANNED, _GROWS_EVERY)


# ---- parts as objects


class PartName(NamedTuple):
    """The parsed name of a part.

    Attributes:
        place: the common prefix of the parts of all uploads of one object, see `parts_prefix`.
        upload: the id of the upload.
        level: 0 for a part, more for objects composed of parts.
        number: from 1.
    """

    place: str
    upload: str
    level: int
    number: int

    @classmethod
    def parse(cls, name: str) -> PartName | None:
        """None if it is not the name of a part."""
        place, _, rest = name.rpartition("/")
        place, _, upload = place.rpartition("/")
        level, _, number = rest.partition("-")
        return cls(place, upload, int(level), int(number)) if level.isdecimal() and number.isdecimal() else None


def parts_prefix(name: str) -> str:
    """The prefix of the parts of the object with this full name."""
    short = parts_prefix_below(name)
    if short == PARTS_PREFIX + name:
        return short
    return f"{short}.{hashlib.sha256(name.encode('utf-8', 'surrogateescape')).hexdigest()[:32]}"


def parts_prefix_below(name: str) -> str:
    """The prefix of the parts of all objects whose full names start with `name`; names have at most 1024 bytes."""
    return PARTS_PREFIX + name.encode("utf-8", "surrogateescape")[:_NAMED].decode("utf-8", "ignore")


_Source = tuple[str, str | None]
"""The name of a part, and its generation if the server reported it."""


class Part(NamedTuple):
    source: _Source
    crc: bytes
    size: int


class CompositeUpload(MultipartUpload):
    """The parts of one upload as objects.

    resource, condition: of the object to make. upload: of another process, to resume it.

    Attributes:
        upload: identifies it, in 32 hexadecimal digits.
    """

    drain: ClassVar[bool] = True  # a part that is cancelled inside its request might appear after `clean`

    def __init__(self, bucket: GsBucket, key: str, resource: dict[str, Any], condition: str | None,
                 upload: str | None = None) -> None:
        self.upload = upload or secrets.token_hex(16)
        self._bucket = bucket
        self.origin = bucket.endpoint.origin
        self._key = key
        self._resource = resource
        self._condition = condition
        self._prefix = f"{parts_prefix(bucket.full_name(key))}/{self.upload}/"
        self._names: set[str] = set()  # all that may exist
        self.sent: dict[int, Part] = {}

    def find_parts(self, layout: PartLayout) -> None:
        """Count the complete parts that exist as sent."""
        for resource in resources_below(self._bucket, self._prefix, "name,size,generation,crc32c"):
            name, size = resource["name"], size_of(resource)
            self._names.add(name)
            part = PartName.parse(name)
            if (part is not None and part.level == 0 and part.number in layout.numbers and "crc32c" in resource
                    and size == layout.length(part.number)):
                source = name, resource.get("generation")
                self.sent[part.number] = Part(source, stored_crc(resource, self._key), size)

    def send_part(self, number: int, content: integrity.Buffer) -> None:
        name, crc = self._name(number), crc_of(self._bucket, content)
        written = put_resource(self._bucket, self._key, name, {}, content, crc)
        self.sent[number] = Part((name, written.get("generation")), crc, len(content))

    def complete(self) -> str | None:
        written = self._compose_parts()
        self.clean()
        return etag_of(written)

    def abort(self) -> None:
        self.clean()

    def state(self) -> Mapping[str, Any]:
        return {"upload": self.upload}

    def _name(self, number: int, level: int = 0) -> str:
        name = f"{self._prefix}{level}-{number:06}"
        self._names.add(name)
        return name

    def _compose_parts(self) -> dict[str, Any]:
        """Make the object of the parts: of 32 at once, of more by way of objects made of 32 each. Returns its WRITTEN
        fields."""
        parts = [part for _, part in sorted(self.sent.items())]
        crc, size = combine("crc32c", ((part.crc, part.size) for part in parts)), sum(part.size for part in parts)
        sources: Sequence[_Source] = [part.source for part in parts]
        for level in itertools.count(1):
            if len(sources) <= MAX_COMPOSED:
                break
            sources = self._compose_groups(sources, level)
        request = compose(self._bucket, self._key, self._bucket.full_name(self._key), sources,
                          self._resource, self._condition)
        try:
            written: dict[str, Any] | None = self._bucket.client.send(request)
        except PreconditionFailedError:
            written = find_own_write(self._bucket, self._key, crc, size) if request.may_have_acted else None
            if written is None:
                raise
        if written is None:
            raise self._lost()
        verify_assembled(self._bucket, self._key, written, crc, size)
        return written

    def _compose_groups(self, sources: Sequence[_Source], level: int) -> list[_Source]:
        """Intermediate objects, made of 32 each, several at the same time."""
        starts = range(0, len(sources), MAX_COMPOSED)
        composed: dict[int, _Source] = {}

        def compose_group(number: int, at: int) -> None:
            composed[number] = self._compose_group(sources[at:at + MAX_COMPOSED], level, at)

        send_parts(self._bucket.runtime, starts, compose_group, self.origin, drain=True)
        return [group for _, group in sorted(composed.items())]

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
        """Remove the parts. Best effort, because another failure is raised; a warning names parts that remain."""
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
        if errors and self.sent:  # else most likely nothing was stored: no such bucket, no right to write
            self._warn(errors)

    def _warn(self, errors: Mapping[str, CloudFilesError | Cancelled]) -> None:
        error = next(iter(errors.values()))
        more = f" and {len(errors) - _SHOWN} more below {self._prefix}" if len(errors) > _SHOWN else ""
        logger.warning("gs://%s/%s: %d parts of the upload could not be removed; they may remain until "
                       "discard_partial() or a lifecycle rule removes them: %s%s (%s: %s)", self._bucket.name,
                       self._key, len(errors), ", ".join(list(errors)[:_SHOWN]), more, type(error).__name__, error)


_NEEDED = ("storage.objects.create", "storage.objects.delete", "storage.objects.get")
_STANDARD = ("STANDARD", "MULTI_REGIONAL", "REGIONAL", None)


def may_compose(bucket: GsBucket, storage_class: str | None) -> bool:
    """Whether an upload may temporarily create parts in the bucket.

    It may not if they could not be deleted (no permission, a retention policy, a hold), would be billed for a minimum
    storage duration, or would be encrypted by a Cloud KMS key; nor if this cannot be determined.
    """
    if bucket.composable is None:
        bucket.composable = _allows_parts(bucket)
    return bucket.composable and storage_class in _STANDARD


def _allows_parts(bucket: GsBucket) -> bool:
    try:
        rights = bucket.send_json("GET", bucket.with_query(f"{bucket.bucket_target}/iam/testPermissions")
                                  + ("&" if bucket.user_project else "?")
                                  + "&".join(f"permissions={name}" for name in _NEEDED))
        policy = bucket.send_json("GET", bucket.with_query(
            bucket.bucket_target, fields="retentionPolicy,defaultEventBasedHold,encryption,storageClass"))
    except CloudFilesError:
        return False
    granted = (rights or {}).get("permissions")
    if policy is None or not isinstance(granted, list) or not all(name in granted for name in _NEEDED):
        return False
    encryption = policy.get("encryption") or {}
    return (not policy.get("retentionPolicy") and not policy.get("defaultEventBasedHold")
            and isinstance(encryption, dict) and not encryption.get("defaultKmsKeyName")
            and policy.get("storageClass") in _STANDARD)


def open_part_writer(bucket: GsBucket, key: str, size: int, options: WriteOptions,
                     state: Mapping[str, Any] | None) -> PartWriter:
    """As `Interface.open_writer`."""
    known = state if state and state.get("upload") and state.get("part_size") else None
    layout = PartLayout(key, size, int(known["part_size"]) if known else part_size(1, size))
    upload = CompositeUpload(bucket, key, resource_of(options), condition_of(bucket, key, options),
                             str(known["upload"]) if known else None)
    if known:
        upload.find_parts(layout)
    return UploadWriter(upload, layout)


_FIELDS = "name,updated"


def discard_parts(bucket: GsBucket, prefix: str, before: float) -> int:
    """Remove the parts of interrupted uploads of keys that start with `prefix`.

    before: seconds since the epoch; later parts may belong to an upload in progress.
    Returns the number of uploads.
    """
    found = resources_below(bucket, parts_prefix_below(bucket.root + prefix), _FIELDS)
    return _remove(bucket, [resource["name"] for resource in found if _seconds(resource) < before])


def discard_interrupted_parts(bucket: GsBucket, interrupted: InterruptedWrites) -> int:
    """Remove the parts of uploads of exactly these keys that were written since, except those that will be resumed.

    If uploads may not create parts, there are none, and no request is sent. Returns the number of uploads.
    """
    places = {parts_prefix(bucket.full_name(key)) for key in interrupted.keys if key}
    if not places or not may_compose(bucket, None):
        return 0
    kept = {state.get("upload") for state in interrupted.kept}
    prefix = os.path.commonprefix([*places])  # noqa: RUF071 -- of names, which are not paths
    left = []
    for resource in resources_below(bucket, prefix, _FIELDS):
        part = PartName.parse(resource["name"])
        if (part is not None and part.place in places and part.upload not in kept
                and _seconds(resource) >= interrupted.since):
            left.append(resource["name"])
    return _remove(bucket, left)


def _remove(bucket: GsBucket, names: Sequence[str]) -> int:
    """Delete these parts; returns the number of uploads. Raises the first failure."""
    for at in range(0, len(names), MAX_BATCH):
        for error in delete_names(bucket, {name: name for name in names[at:at + MAX_BATCH]}).values():
            raise error
    return len({name.rpartition("/")[0] for name in names})


def _seconds(resource: dict[str, Any]) -> float:
    """The time when it was written; a time in the future if the server does not report it."""
    return seconds(resource["updated"]) if "updated" in resource else math.inf
