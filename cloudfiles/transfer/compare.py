"""Compares stored objects: by size, time, digest or content."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timezone
from typing import Any, Literal

from cloudfiles import encoding_streams, integrity
from cloudfiles.content_encoding import effective_encoding
from cloudfiles.exceptions import DecompressionError, InvalidInputError, ObjectChangedError
from cloudfiles.interfaces.base import Interface
from cloudfiles.types import ListEntry, StoredObject
from cloudfiles.values import NamedTuple

Verdict = Literal["same", "different", "missing", "unverifiable"]
Compare = Literal["auto", "size", "time", "digest"]

MODES = ("auto", "size", "time", "digest")
_READ = "sha256"
"""The digest to compare contents by if neither store reports one."""


class Comparison(NamedTuple):
    """The result of comparing two objects.

    Attributes:
        by: what decided: 'size', 'time', 'content', or the name of a digest ('md5', 'crc32', ...); '' for nothing.
        cause: an explanation, if the verdict is not 'same'.
    """

    verdict: Verdict
    by: str = ""
    cause: str = ""


def checked_mode(mode: Any) -> Compare:
    """Raise InvalidInputError unless it is one of MODES."""
    if mode not in MODES:
        raise InvalidInputError(f"compare: expected one of {', '.join(MODES)}, got {mode!r}")
    known: Compare = mode
    return known


# ---- by entries of listings


def compare_entries(source: Interface, ours: ListEntry, target: Interface, theirs: ListEntry,
                    mode: Compare) -> Comparison | None:
    """Compare by size, then by md5 if both entries have one, otherwise by time: a newer target has been copied since.

    None: the objects themselves must be compared, because the times are within the same second, the mode requires
    digests, the source is newer but one side is local, or the sizes differ at a target that keeps no encodings, which
    may have decoded the content.
    """
    by_size = _by_size(ours.size, theirs.size)
    if by_size is not None:
        return None if source.traits.keeps_encodings and not target.traits.keeps_encodings else by_size
    if mode == "size":
        known = ours.size is not None and theirs.size is not None
        return Comparison("same", "size") if known else Comparison("unverifiable", "", "a listing has no size")
    if mode != "time" and source.traits.etag_is_md5 and target.traits.etag_is_md5:
        by_md5 = _by_md5(integrity.md5_from_etag(ours.etag), integrity.md5_from_etag(theirs.etag))
        if by_md5 is not None:
            return by_md5
    if mode == "digest":
        return None
    by_time = _by_time(ours.last_modified, theirs.last_modified)
    if by_time is not None and by_time.verdict == "different" and mode == "auto" and (
            source.traits.is_local != target.traits.is_local):
        return None  # files that were downloaded are newer than their objects: reading them is cheaper than a copy
    return by_time


def _by_size(ours: int | None, theirs: int | None) -> Comparison | None:
    """None unless the sizes are known to differ."""
    if ours is None or theirs is None or ours == theirs:
        return None
    return Comparison("different", "size", f"{ours} bytes at the source, {theirs} at the target")


def _by_md5(ours: bytes | None, theirs: bytes | None) -> Comparison | None:
    if ours is None or theirs is None:
        return None
    if ours == theirs:
        return Comparison("same", "md5")
    return Comparison("different", "md5", f"md5 {ours.hex()} at the source, {theirs.hex()} at the target")


def _by_time(ours: str | None, theirs: str | None) -> Comparison | None:
    first, second = when(ours), when(theirs)
    if first is None or second is None or int(first) == int(second):
        return None
    if second > first:
        return Comparison("same", "time")
    return Comparison("different", "time", f"changed at the source at {ours}, later than the target ({theirs})")


def when(text: str | None) -> float | None:
    """Parse a time in RFC 9110 or ISO 8601 format to seconds since the epoch; None if it is neither."""
    if not text:
        return None
    try:
        at = datetime.fromisoformat(text.replace("Z", "+00:00"))
        return at.replace(tzinfo=at.tzinfo or timezone.utc).timestamp()
    except ValueError:
        pass
    from email.utils import parsedate_to_datetime  # here, as it takes long to import

    try:
        return parsedate_to_datetime(text).timestamp()
    except (ValueError, TypeError):
        return None


# ---- by the objects themselves


def compare_objects(source: Interface, key: str, target: Interface, target_key: str, *,
                    read: bool = False) -> Comparison:
    """Compare by the digests that the stores report; those of local files are computed.

    read: if the stores have no digests in common, read both objects.
    """
    ours, theirs = source.describe(key), target.describe(target_key)
    if ours is None or theirs is None:
        return _missing(ours, theirs)
    try:
        if _is_decoded(source, ours, target, theirs):
            return _by_decoded(source, key, ours, target, target_key, theirs, read)
        return (_by_size(ours.size, theirs.size)
                or _by_digests(source, key, ours, target, target_key, theirs, read))
    except ObjectChangedError as error:
        return Comparison("unverifiable", "", f"the object changed while it was being compared: {error}")


def _missing(ours: StoredObject | None, theirs: StoredObject | None) -> Comparison:
    if ours is None and theirs is None:
        return Comparison("missing", "", "missing at both source and target")
    return Comparison("missing", "", f"missing at the {'target' if ours is not None else 'source'}")


def _by_digests(source: Interface, key: str, ours: StoredObject, target: Interface, target_key: str,
                theirs: StoredObject, read: bool) -> Comparison:
    reported, reported_there = _by_name(source.digests(ours)), _by_name(target.digests(theirs))
    for algorithm in reported:
        if algorithm in reported_there:
            return _by_value(algorithm, reported[algorithm], reported_there[algorithm])
    have_md5s = source.traits.etag_is_md5 and target.traits.etag_is_md5
    if have_md5s and ours.etag == theirs.etag and "-" in (ours.etag or ""):
        return Comparison("same", "md5")  # of the same parts
    if reported and (target.traits.is_local or read):
        algorithm = next(iter(reported))
        return _by_value(algorithm, reported[algorithm], _computed(target, target_key, algorithm))
    if reported_there and (source.traits.is_local or read):
        algorithm = next(iter(reported_there))
        return _by_value(algorithm, _computed(source, key, algorithm), reported_there[algorithm])
    if read or (source.traits.is_local and target.traits.is_local):
        return _by_content(source, key, target, target_key)
    return _by_parts(source, key, ours, target, target_key, theirs)


def _is_decoded(source: Interface, ours: StoredObject, target: Interface, theirs: StoredObject) -> bool:
    """Whether one of them has an encoding that the other's store cannot keep. Then only their contents can be compared:
    sizes and digests are of stored bytes."""
    return bool((effective_encoding(ours.encoding) and not target.traits.keeps_encodings)
                or (effective_encoding(theirs.encoding) and not source.traits.keeps_encodings))


def _by_decoded(source: Interface, key: str, ours: StoredObject, target: Interface, target_key: str,
                theirs: StoredObject, read: bool) -> Comparison:
    if not (read or (source.traits.is_local and target.traits.is_local)):
        return Comparison("unverifiable", "", "stored encoded on one side and decoded on the other; use read=True to "
                                              "compare the contents")
    try:
        digests = _computed(source, key, _READ, ours.encoding), _computed(target, target_key, _READ, theirs.encoding)
    except DecompressionError as error:
        return Comparison("unverifiable", "", f"cannot be decoded: {error}")
    return Comparison("same", "content") if digests[0] == digests[1] else Comparison("different", "content",
                                                                                     "the contents differ")


def sizes_differ(ours: ListEntry, theirs: ListEntry) -> bool:
    return _by_size(ours.size, theirs.size) is not None


def compare_decoded(source: Interface, ours: ListEntry, target: Interface, theirs: ListEntry,
                    mode: Compare) -> Comparison:
    """Compare objects of different sizes, at a target that keeps no encodings: if the source is encoded by time, or by
    content if the time does not decide or the mode excludes it."""
    described = source.describe(ours.key)
    if described is None or not effective_encoding(described.encoding):
        return _by_size(ours.size, theirs.size) or Comparison("different", "size")
    by_time = _by_time(ours.last_modified, theirs.last_modified) if mode in ("auto", "time") else None
    if by_time is None and mode == "time":
        return Comparison("different", "time")
    return by_time or compare_objects(source, ours.key, target, theirs.key, read=True)


def _by_name(digests: Iterable[integrity.Digest]) -> dict[str, bytes]:
    return {digest.algorithm: digest.value for digest in digests}


def _by_value(algorithm: str, ours: bytes, theirs: bytes) -> Comparison:
    if ours == theirs:
        return Comparison("same", algorithm)
    return Comparison("different", algorithm,
                      f"{algorithm} {ours.hex()} at the source, {theirs.hex()} at the target")


def _by_content(source: Interface, key: str, target: Interface, target_key: str) -> Comparison:
    ours, theirs = _computed(source, key, _READ), _computed(target, target_key, _READ)
    return Comparison("same", "content") if ours == theirs else Comparison("different", "content", "the bytes differ")


def _by_parts(source: Interface, key: str, ours: StoredObject, target: Interface, target_key: str,
              theirs: StoredObject) -> Comparison:
    """Compare the ETag of a multipart upload with a local file: if no likely part size fits, that proves nothing."""
    if target.traits.is_local and source.traits.etag_is_md5 and _is_multipart_etag(target, target_key, ours):
        return Comparison("same", "md5")
    if source.traits.is_local and target.traits.etag_is_md5 and _is_multipart_etag(source, key, theirs):
        return Comparison("same", "md5")
    return Comparison("unverifiable", "", "the sizes are equal, but the stores have no digests in common; use "
                                          "read=True to compare the bytes")


def _is_multipart_etag(local: Interface, key: str, stored: StoredObject) -> bool:
    etag = (stored.etag or "").strip('"').lower()
    parts = etag.partition("-")[2]
    if not (parts.isascii() and parts.isdigit()):
        return False
    sizes = integrity.likely_part_sizes(stored.size or 0, int(parts))[:3]
    candidates = [integrity.MultipartMD5(size) for size in sizes]

    def take(piece: bytes | memoryview) -> None:
        for candidate in candidates:
            candidate.update(piece)

    local.stream_to(key, take)
    return any(candidate.etag() == etag for candidate in candidates)


def _computed(interface: Interface, key: str, algorithm: str, encoding: str = "") -> bytes:
    """The digest of the stored bytes of an object, or of its decoded content, by reading it."""
    hasher, stream = integrity.hasher(algorithm), encoding_streams.decoder(encoding, key)
    take = (lambda piece: hasher.update(stream.update(piece))) if encoding else hasher.update
    if interface.stream_to(key, take) is None:
        raise ObjectChangedError("the object was removed", path=key)
    stream.finish()
    return hasher.digest()


def is_up_to_date(source: Interface, key: str, target: Interface, target_key: str) -> bool:
    """Whether the target has the object already, by size and digest or time.

    A source that is newer may still be equal, for example if it was copied from the target: reading it to find out is
    cheaper than copying it.
    """
    theirs = target.describe(target_key)
    ours = None if theirs is None else source.describe(key)
    if ours is None or theirs is None:
        return False
    if _is_decoded(source, ours, target, theirs):
        return compare_decoded(source, _entry(key, ours), target, _entry(target_key, theirs), "auto").verdict == "same"
    comparison = compare_entries(source, _entry(key, ours), target, _entry(target_key, theirs), "auto")
    if comparison is None or (comparison.verdict, comparison.by) == ("different", "time"):
        comparison = compare_objects(source, key, target, target_key)
    return comparison.verdict == "same"


def _entry(key: str, stored: StoredObject) -> ListEntry:
    return ListEntry(key, stored.size, stored.etag, (stored.headers or {}).get("last-modified"))
