"""Object resources of the JSON API: writing and reading their fields.

Source: Cloud Storage JSON API reference, "Objects".
"""

from __future__ import annotations

from base64 import b64encode
from binascii import a2b_base64
from datetime import datetime
from typing import Any

from cloudfiles import integrity
from cloudfiles.exceptions import ProtocolError
from cloudfiles.http_dates import http_date
from cloudfiles.inputs import check_header, check_metadata
from cloudfiles.interfaces.documents import count, required
from cloudfiles.types import StoredObject, WriteOptions, head_of

RESOURCE = "the object's resource"

WRITTEN_FIELDS = "name,size,etag,generation,md5Hash,crc32c"
"""The fields that describe a write."""

HEAD_FIELDS = ("size,etag,updated,contentType,contentEncoding,contentDisposition,contentLanguage,cacheControl,md5Hash,"
               "storageClass,componentCount")

COPY_FIELDS = f"{HEAD_FIELDS},generation,crc32c,metadata"
"""The fields that a copy may need."""

_HEADERS = {"contentType": "content-type", "contentEncoding": "content-encoding", "cacheControl": "cache-control",
            "contentDisposition": "content-disposition", "contentLanguage": "content-language",
            "storageClass": "x-goog-storage-class", "generation": "x-goog-generation", "size": "content-length",
            "etag": "etag"}

METADATA_PREFIX = "x-goog-meta-"


def resource_of(options: WriteOptions) -> dict[str, Any]:
    """The resource of a write. Raises InvalidInputError for values that cannot be stored."""
    fields = {"contentType": options.content_type, "contentEncoding": options.encoding or None,
              "cacheControl": options.cache_control, "storageClass": options.storage_class,
              "contentDisposition": options.content_disposition, "contentLanguage": options.content_language}
    resource: dict[str, Any] = {name: value for name, value in fields.items() if value is not None}
    for name, value in resource.items():
        check_header(name, value)  # they are returned as headers
    if options.metadata:
        check_metadata(options.metadata)
        resource["metadata"] = dict(options.metadata)
    return resource


def size_of(resource: dict[str, Any]) -> int:
    """The size in stored bytes. A resource may omit it if it is 0."""
    return count(resource.get("size", 0), "size", RESOURCE)


def etag_of(resource: dict[str, Any]) -> str | None:
    etag = resource.get("etag")
    return etag if isinstance(etag, str) and etag else None


def generation_of(resource: dict[str, Any], path: str | None = None) -> str:
    """The generation, which is required."""
    if "generation" not in resource:
        raise ProtocolError(f"{RESOURCE} has no 'generation'", path=path)
    return str(count(resource["generation"], "generation", RESOURCE, path))


def head_from_resource(resource: dict[str, Any]) -> dict[str, Any]:
    """A resource as the fields of `types.HEAD_FIELDS`."""
    return head_of(
        Cache_Control=resource.get("cacheControl"),
        Content_Length=size_of(resource),
        Content_Type=resource.get("contentType"),
        ETag=etag_of(resource),
        Last_Modified=_http_date(resource.get("updated")),
        Content_md5=resource.get("md5Hash"),
        Content_Encoding=resource.get("contentEncoding"),
        Content_Disposition=resource.get("contentDisposition"),
        Content_Language=resource.get("contentLanguage"),
        Storage_Class=resource.get("storageClass"),
        Parts_Count=resource.get("componentCount"),
    )


def describe_resource(resource: dict[str, Any]) -> StoredObject:
    """The object that a resource (with its COPY_FIELDS) describes, without content, with headers as of a read."""
    headers = {header: str(resource[field]) for field, header in _HEADERS.items() if field in resource}
    hashes = [f"{name}={resource[field]}" for name, field in (("crc32c", "crc32c"), ("md5", "md5Hash"))
              if field in resource]
    headers["content-length"] = str(size_of(resource))
    headers["x-goog-hash"] = ",".join(hashes)
    headers["x-goog-stored-content-encoding"] = resource.get("contentEncoding") or "identity"
    headers["last-modified"] = _http_date(resource.get("updated")) or ""
    metadata = resource.get("metadata") or {}
    if not isinstance(metadata, dict):
        raise ProtocolError(f"{RESOURCE} has an invalid 'metadata': expected an object, got a JSON "
                            f"{type(metadata).__name__}")
    headers.update((METADATA_PREFIX + name, str(value)) for name, value in metadata.items())
    return StoredObject(None, resource.get("contentEncoding") or "", "", etag_of(resource), size_of(resource),
                        headers, generation_of(resource) if "generation" in resource else None)


def _http_date(updated: str | None) -> str | None:
    """A time of a resource (RFC 3339, always UTC) in the format of headers (RFC 9110 5.6.7)."""
    if updated is None:
        return None
    return http_date(int(seconds(updated)))


def seconds(updated: Any) -> float:
    """A time of a resource (RFC 3339, always UTC) in seconds since the epoch."""
    try:
        return datetime.fromisoformat(f"{updated[:19]}+00:00").timestamp()
    except (TypeError, ValueError) as error:
        raise ProtocolError(f"{RESOURCE} has an invalid time: {str(updated)[:100]!r}") from error


# ---- crc32c: the digest that every object has


def stored_crc(resource: dict[str, Any], path: str | None = None) -> bytes:
    """The crc32c of a resource."""
    text = required(resource, "crc32c", RESOURCE, path)
    try:
        return a2b_base64(text)
    except ValueError as error:
        raise ProtocolError(f"{RESOURCE} has an invalid 'crc32c': {text[:100]!r}", path=path) from error


def crc_text(digest: bytes) -> str:
    """A crc32c in the format of resources."""
    return b64encode(digest).decode("ascii")


def check_written(resource: dict[str, Any], crc: bytes, size: int, path: str) -> None:
    """Raise an IntegrityError if the new object does not have this crc32c."""
    if "crc32c" in resource:
        integrity.verify_value(crc, integrity.Digest("crc32c", stored_crc(resource, path)), size, path)


def has_content(resource: dict[str, Any], crc: bytes, size: int) -> bool:
    """Whether an object has content of this size and crc32c."""
    return resource.get("crc32c") == crc_text(crc) and size_of(resource) == size
