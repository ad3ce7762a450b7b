"""Large uploads in parallel: parts as objects of their own, composed, and removed.

Source: Cloud Storage docs, "Parallel composite uploads" and "Composite objects".
"""

from __future__ import annotations

import itertools
import logging
import uuid
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from typing import Any

from cloudfiles import integrity
from cloudfiles.exceptions import CloudFilesError, PreconditionFailedError, ServerError
from cloudfiles.interfaces.gs.bucket import Bucket
from cloudfiles.interfaces.gs.bulk_delete import MAX_BATCH, delete_keys, delete_names
from cloudfiles.interfaces.gs.copying import MAX_COMPOSED, compose
from cloudfiles.interfaces.gs.listing import list_page
from cloudfiles.interfaces.gs.upload import check_made, crc_of, own_write, put_resource
from cloudfiles.interfaces.parts import send_parts
from cloudfiles.runtime.base import Cancelled

PARTS_PREFIX = "cloudfiles-upload-parts/"
"""What the names of parts begin with, at the bucket's root: a lifecycle rule finds what a killed process leaves."""

_NAMED = 800  # bytes of an object's name that the names of its parts repeat

_NEEDED = ("storage.objects.create", "storage.objects.delete", "storage.objects.get")
_STANDARD = ("STANDARD", "MULTI_REGIONAL", "REGIONAL", None)

log = logging.getLogger("cloudfiles")


def may_compose(bucket: Bucket, storage_class: str | None) -> bool:
    """Whether an upload may leave parts in the bucket for a moment.

    It may not where they could not be deleted (no right to, a retention policy, a hold), would cost a minimum
    storage duration, or would be encrypted by a key with conditions of its own; nor where that cannot be found out.
    """
    if bucket.composable is None:
        bucket.composable = _allows_parts(bucket)
    return bucket.composable and storage_class in _STANDARD


def _allows_parts(bucket: Bucket) -> bool:
    try:
        rights = bucket.ask("GET", bucket.with_query(f"{bucket.bucket_target}/iam/testPermissions")
                            + ("&" if bucket.user_project else "?")
                            + "&".join(f"permissions={name}" for name in _NEEDED))
        policy = bucket.ask("GET", bucket.with_query(
            bucket.bucket_target, fields="retentionPolicy,defaultEventBasedHold,encryption,storageClass"))
    except CloudFilesError:
        return False
    if rights is None or policy is None or not set(_NEEDED) <= set(rights.get("permissions") or ()):
        return False
    return (not policy.get("retentionPolicy") and not policy.get("defaultEventBasedHold")
            and not (policy.get("encryption") or {}).get("defaultKmsKeyName")
            and policy.get("storageClass") in _STANDARD)


def put_composite(bucket: Bucket, key: str, parts: Iterable[integrity.Buffer], resource: dict[str, Any],
                  condition: str | None) -> str:
    """Store what `parts` (read in this worker, as they are sent) make together. Gives the ETag.

    The parts are removed, whether it succeeds or fails.
    """
    upload = _CompositeUpload(bucket, key)
    try:
        upload.send_all(parts)
        written = upload.compose(resource, condition)
    finally:
        upload.clean()
    return str(written["etag"])


def discard_parts(bucket: Bucket, prefix: str, before: float) -> int:
    """Remove the parts that interrupted uploads of keys beginning with `prefix` have left.

    before: seconds since the epoch; what was written later may belong to an upload that goes on.
    Gives how many uploads they were of.
    """
    left = replace(bucket, root=PARTS_PREFIX + _shortened(bucket.root + prefix))
    uploads: set[str] = set()
    token: str | None = None
    while True:
        page = list_page(left, "", flat=False, start_after=None, token=token, limit=None)
        old = [entry.key for entry in page.entries if entry.last_modified and _seconds(entry.last_modified) < before]
        for at in range(0, len(old), MAX_BATCH):
            for error in delete_keys(left, old[at:at + MAX_BATCH]).values():
                raise error
        uploads.update(key.rpartition("/")[0] for key in old)
        token = page.next_token
        if token is None:
            return len(uploads)


def _shortened(name: str) -> str:
    """So much of an object's name as leaves room behind it: names have 1024 bytes at most."""
    return name.encode("utf-8", "surrogateescape")[:_NAMED].decode("utf-8", "ignore")


def _seconds(updated: str) -> float:
    """A time of a listing (RFC 3339, always UTC) in seconds since the epoch."""
    return datetime.fromisoformat(f"{updated[:19]}+00:00").timestamp()


class _CompositeUpload:
    def __init__(self, bucket: Bucket, key: str) -> None:
        self._bucket = bucket
        self._key = key
        self._prefix = f"{PARTS_PREFIX}{_shortened(bucket.full_name(key))}/{uuid.uuid4().hex}/"
        self._crc = integrity.hasher("crc32c")
        self._size = 0
        self._error: Exception | None = None
        self._names: list[str] = []  # all that may exist
        self._sent: dict[int, tuple[str, str]] = {}  # number -> name and generation

    def send_all(self, parts: Iterable[integrity.Buffer]) -> None:
        """Send all parts, a few at once. Raises the first failure, the parts' own source's included.

        After a failure those under way are waited for: a part that was given up inside its request might appear
        after all, when the others have been removed.
        """
        send_parts(self._bucket.runtime, self._noted(parts), self._send_unless_failed)
        if self._error is not None:
            raise self._error

    def _noted(self, parts: Iterable[integrity.Buffer]) -> Iterable[integrity.Buffer]:
        """The same parts, taken note of."""
        try:
            for part in parts:
                self._crc.update(part)
                self._size += len(part)
                yield part
                if self._error is not None:
                    return
        except Exception as error:
            self._error = error

    def _send_unless_failed(self, number: int, part: integrity.Buffer) -> None:
        try:
            if self._error is None:
                self._send(number, part)
        except Exception as error:
            self._error = self._error or error

    def _name(self, number: int, level: int = 0) -> str:
        name = f"{self._prefix}{level}-{number:06}"
        self._names.append(name)
        return name

    def _send(self, number: int, part: integrity.Buffer) -> None:
        name = self._name(number)
        written = put_resource(self._bucket, self._key, name, {}, part, crc_of(self._bucket, part))
        self._sent[number] = name, written["generation"]

    def compose(self, resource: dict[str, Any], condition: str | None) -> dict[str, Any]:
        """Make the object of the parts: of 32 at once, of more by way of objects made of 32 each."""
        sources: Sequence[tuple[str, str]] = [source for _, source in sorted(self._sent.items())]
        for level in itertools.count(1):
            if len(sources) <= MAX_COMPOSED:
                break
            sources = [self._compose_group(sources[at:at + MAX_COMPOSED], level, at)
                       for at in range(0, len(sources), MAX_COMPOSED)]
        crc = self._crc.digest()
        request = compose(self._bucket, self._key, self._bucket.full_name(self._key), sources, resource, condition)
        try:
            written: dict[str, Any] | None = self._bucket.client.send(request)
        except PreconditionFailedError:
            written = own_write(self._bucket, self._key, crc, self._size) if request.may_have_acted else None
            if written is None:
                raise
        if written is None:
            raise self._lost()
        check_made(self._bucket, self._key, written, crc, self._size)
        return written

    def _compose_group(self, sources: Sequence[tuple[str, str]], level: int, at: int) -> tuple[str, str]:
        name = self._name(at, level)
        written = self._bucket.client.send(compose(self._bucket, self._key, name, sources, {}))
        if written is None:
            raise self._lost()
        return name, written["generation"]

    def _lost(self) -> CloudFilesError:
        return ServerError("a part of the upload has gone before it was composed: does a lifecycle rule delete "
                           f"objects below {PARTS_PREFIX!r} too early?", status=404, path=self._key)

    def clean(self) -> None:
        """Remove the parts. Best effort: what led here is what counts."""
        with suppress(CloudFilesError, Cancelled):
            for at in range(0, len(self._names), MAX_BATCH):
                for name, error in delete_names(
                        self._bucket, {name: name for name in self._names[at:at + MAX_BATCH]}).items():
                    log.warning("gs://%s/%s: a part of an upload stays behind: %s", self._bucket.name, name, error)
