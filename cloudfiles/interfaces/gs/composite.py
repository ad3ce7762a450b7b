"""Large uploads in parallel: parts as objects of their own, composed, and removed.

Source: Cloud Storage docs, "Parallel composite uploads".
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from cloudfiles import integrity
from cloudfiles.exceptions import CloudFilesError
from cloudfiles.interfaces.gs.bucket import GsBucket
from cloudfiles.interfaces.gs.part_objects import PartObjects
from cloudfiles.interfaces.gs.resource import etag_of
from cloudfiles.interfaces.parts import send_parts

_NEEDED = ("storage.objects.create", "storage.objects.delete", "storage.objects.get")
_STANDARD = ("STANDARD", "MULTI_REGIONAL", "REGIONAL", None)


def may_compose(bucket: GsBucket, storage_class: str | None) -> bool:
    """Whether an upload may leave parts in the bucket for a moment.

    It may not where they could not be deleted (no right to, a retention policy, a hold), would cost a minimum
    storage duration, or would be encrypted by a key with conditions of its own; nor where that cannot be found out.
    """
    if bucket.composable is None:
        bucket.composable = _allows_parts(bucket)
    return bucket.composable and storage_class in _STANDARD


def _allows_parts(bucket: GsBucket) -> bool:
    try:
        rights = bucket.ask("GET", bucket.with_query(f"{bucket.bucket_target}/iam/testPermissions")
                            + ("&" if bucket.user_project else "?")
                            + "&".join(f"permissions={name}" for name in _NEEDED))
        policy = bucket.ask("GET", bucket.with_query(
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


def put_composite(bucket: GsBucket, key: str, parts: Iterable[integrity.Buffer], resource: dict[str, Any],
                  condition: str | None) -> str | None:
    """Store what `parts` (read in this worker, as they are sent) make together. Gives the ETag.

    The parts are removed, whether it succeeds or fails.
    """
    objects = PartObjects(bucket, key)
    try:
        sending = _Sending(objects)
        sending.send_all(bucket, parts)
        written = objects.compose(resource, condition, sending.crc.digest(), sending.size)
    finally:
        objects.clean()
    return etag_of(written)


class _Sending:
    """Parts on their way.

    Attributes:
        crc, size: of all that was sent.
    """

    def __init__(self, objects: PartObjects) -> None:
        self.crc = integrity.hasher("crc32c")
        self.size = 0
        self._objects = objects
        self._error: Exception | None = None

    def send_all(self, bucket: GsBucket, parts: Iterable[integrity.Buffer]) -> None:
        """Send all parts, a few at once. Raises the first failure, the parts' own source's included.

        After a failure those under way are waited for: a part that was given up inside its request might appear
        after all, when the others have been removed.
        """
        send_parts(bucket.runtime, self._noted(parts), self._send_unless_failed)
        if self._error is not None:
            raise self._error

    def _noted(self, parts: Iterable[integrity.Buffer]) -> Iterable[integrity.Buffer]:
        """The same parts, taken note of."""
        try:
            for part in parts:
                self.crc.update(part)
                self.size += len(part)
                yield part
                if self._error is not None:
                    return
        except Exception as error:
            self._error = error

    def _send_unless_failed(self, number: int, part: integrity.Buffer) -> None:
        try:
            if self._error is None:
                self._objects.send(number, part)
        except Exception as error:
            self._error = self._error or error
