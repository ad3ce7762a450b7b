"""Cloudpaths as text: parsed, normalized, joined and taken apart. `cloudpath_parser` describes their form."""

from __future__ import annotations

import os
import posixpath
from collections.abc import Iterable, Mapping
from typing import Any

from cloudfiles.aliases import (
    ALLOWED_PROTOCOLS,
    add_alias,
    add_persistent_alias,
    registry,
    remove_persistent_alias,
    update_aliases_from_file,
)
from cloudfiles.cloudpath_parser import (
    ExtractedPath,
    MalformedCloudpathError,
    check_local,
    check_typing,
    cut_scheme,
    extract,
    is_known_protocol,
    local_path,
    split_cloudpath,
    text_of,
)
from cloudfiles.exceptions import InvalidPathError
from cloudfiles.lib import StrPath
from cloudfiles.protocols import FORMATS, shape_of

__all__ = [
    "ALLOWED_PROTOCOLS", "ExtractedPath", "MalformedCloudpathError", "absolute", "add_alias", "add_persistent_alias",
    "asbucketpath", "ascloudpath", "asfilepath", "asprotocolpath", "basename", "dirname", "extract",
    "find_common_buckets", "get_protocol", "join", "normalize", "remove_persistent_alias", "to_https_protocol",
    "update_aliases_from_file",
]


def normalize(path: StrPath, windows: bool | None = None) -> str:
    """Return `path` as a cloudpath: local paths become `file://` and absolute, a format at the end moves to the front.

    Paths with a protocol are otherwise unchanged: `file://rel/x` stays relative (`absolute` makes it absolute).

    Args:
        path: a cloudpath, or a local path: absolute, relative, starting with `~`, or a `pathlib.Path`.
        windows: interpret local paths as on Windows; None: as on this machine.

    Raises:
        UnsupportedProtocolError: the protocol is neither supported nor an alias.
        InvalidPathError: the path is empty or malformed.
    """
    return _normalized(path, windows, relative=True)


def absolute(path: StrPath, windows: bool | None = None) -> str:
    """Like `normalize`, but also makes a relative path after `file://` absolute, so that it does not depend on the
    working directory."""
    return _normalized(path, windows, relative=False)


def _normalized(path: StrPath, windows: bool | None, relative: bool) -> str:
    text = text_of(path)
    form, protocol, rest = split_cloudpath(text)
    if protocol in ("", "file"):
        check_local(rest, text)
        if not protocol:
            check_typing(rest)
        stays = isinstance(path, str) and protocol == "file" and (relative or rest.startswith("/"))
        protocol, rest = "file", rest if stays else local_path(rest, windows)
    return f"{form}://{protocol}://{rest}" if form else f"{protocol}://{rest}"


def asfilepath(epath: ExtractedPath | StrPath) -> str:
    """The local path of a `file://` cloudpath. Raises InvalidPathError for other protocols."""
    extracted = _extracted(epath)
    if extracted.protocol != "file":
        raise InvalidPathError(f"{asprotocolpath(extracted)!r} is not a file:// path")
    return os.path.join(extracted.bucket or "", extracted.path or "")


# ---- formatting


def _extracted(path: ExtractedPath | StrPath) -> ExtractedPath:
    return path if isinstance(path, ExtractedPath) else extract(path)


def ascloudpath(epath: ExtractedPath) -> str:
    """The complete cloudpath with its format: `precomputed://gs://bucket/path`."""
    path = asprotocolpath(epath)
    return f"{epath.format}://{path}" if epath.format else path


def asprotocolpath(epath: ExtractedPath) -> str:
    """The cloudpath without its format: `gs://bucket/path`."""
    host = epath.host
    shape = shape_of(epath.protocol)
    if host and shape.scheme:
        host = host.partition("://")[2]  # included in the protocol
    if host and shape.at_host:
        at_host = f"{epath.bucket}@{host.partition('://')[2]}"
        return f"{epath.protocol}://{_slashed(at_host, epath.path)}"
    body = _slashed(host and host.rstrip("/"), epath.bucket, epath.path)
    if epath.alias:
        return _aliased(epath, f"{epath.protocol}://{body}")
    return f"{epath.protocol}://{body}"


def _slashed(*parts: str | None) -> str:
    return "/".join(part for part in parts if part)


def _aliased(epath: ExtractedPath, full: str) -> str:
    """`full` with the alias instead of its target, if it (still) starts with that."""
    target = registry.target(epath.alias or "") or ""
    if target and (full + "/").startswith(target):
        return f"{epath.alias}://{full[len(target):]}"
    host_left_out = "://http" in target and not epath.host
    return f"{epath.alias}://{_slashed(epath.bucket, epath.path)}" if host_left_out else full


def asbucketpath(cloudpath: ExtractedPath | StrPath) -> str:
    """The cloudpath of the bucket of `cloudpath` (on `http(s)://` of the server, on `file://` of the root)."""
    extracted = _extracted(cloudpath)
    root = os.path.splitdrive(extracted.path or "")[0] + os.sep if extracted.protocol == "file" else ""
    return ascloudpath(extracted._replace(path=root))


def to_https_protocol(cloudpath: Any) -> Any:
    """The URL for reading a `gs://`, `s3://` or alias path by plain HTTPS; other paths are unchanged.

    The key is percent-encoded, because it becomes part of a URL.

    Args:
        cloudpath: a cloudpath or an ExtractedPath; the result has the same type.
    """
    if isinstance(cloudpath, ExtractedPath):
        public = shape_of(cloudpath.protocol).https
        return extract(to_https_protocol(ascloudpath(cloudpath))) if public else cloudpath
    form, protocol, _ = split_cloudpath(text_of(cloudpath))
    extracted = extract(cloudpath) if protocol else None
    public = shape_of(extracted.protocol).https if extracted is not None else ""
    if extracted is None or not public:
        return cloudpath
    from urllib.parse import quote  # imported here because it takes 3 ms

    url = _slashed(extracted.host or public, extracted.bucket, quote(extracted.path or "", errors="surrogatepass"))
    return f"{form}://{url}" if form else url


# ---- parts of cloudpaths, as text


def get_protocol(cloudpath: StrPath) -> str | None:
    """The protocol or alias of `cloudpath`; None for a local path, or if it is not supported."""
    protocol, rest = cut_scheme(_plain(cloudpath))
    if protocol in FORMATS:
        protocol, rest = cut_scheme(rest)
    return protocol if protocol and is_known_protocol(protocol) else None


def _plain(path: StrPath) -> str:
    """The path as a plain `str`, because subclasses may override `__str__`. Raises MalformedCloudpathError."""
    text = os.fspath(path) if isinstance(path, str | os.PathLike) else path
    if not isinstance(text, str):
        raise MalformedCloudpathError(f"expected a cloudpath (a str or a pathlib.Path), got {type(path).__name__}")
    return str.__str__(text)


def _is_local(path: StrPath) -> bool:
    return get_protocol(path) in (None, "file")


def join(*paths: StrPath) -> str:
    """Join paths with the separator of the first one's protocol.

    Local paths are joined by `os.path.join`. Otherwise a `/` is inserted between two parts unless the left one
    ends with it; the right one is never treated as absolute, because keys may start with a slash.
    """
    joined, *parts = map(_plain, paths)
    if _is_local(joined):
        return os.path.join(joined, *parts)
    for part in parts:
        joined = f"{joined}{part}" if joined.endswith("/") else f"{joined}/{part}"
    return joined


def dirname(path: StrPath) -> str:
    """Everything before the last separator. The directory of a bucket is the bucket itself."""
    text = _plain(path)
    if _is_local(text):
        return os.path.dirname(text)
    parent = posixpath.dirname(text)
    return text.rstrip("/") if parent.endswith(":") else parent


def basename(path: StrPath) -> str:
    """Everything after the last separator; '' if the path ends with it."""
    text = _plain(path)
    return os.path.basename(text) if _is_local(text) else posixpath.basename(text)


def find_common_buckets(cloudpaths: Any) -> dict[str, list[dict[str, Any]]]:
    """Group cloudpaths by bucket: {bucket path: [{'path', 'start', 'end'}]}, in the order given.

    Args:
        cloudpaths: a cloudpath, or an iterable of them; one may be a dict with 'path' and 'start', 'end'
            or 'byte_range', and further fields, which are kept. On `file://` the first directory is the bucket.
    """
    scalar = isinstance(cloudpaths, (str, os.PathLike, Mapping))
    items: Iterable[Any] = [cloudpaths] if scalar else cloudpaths
    buckets: dict[str, list[dict[str, Any]]] = {}
    for item in items:
        fields = dict(item) if isinstance(item, Mapping) else {"path": item}
        start, end = fields.pop("byte_range", None) or (fields.get("start"), fields.get("end"))
        bucket, key = _cut_bucket_path(fields["path"])
        buckets.setdefault(bucket, []).append({**fields, "path": key, "start": start, "end": end})
    return buckets


def _cut_bucket_path(cloudpath: StrPath) -> tuple[str, str]:
    extracted = extract(cloudpath)
    if extracted.protocol != "file":
        return asbucketpath(extracted), extracted.path or ""
    directory, key = _cut_directory(asfilepath(extracted))
    return "file://" + directory, key


def _cut_directory(path: str) -> tuple[str, str]:
    """The first directory of an absolute local path (the root, for a file in it), and the rest."""
    drive, tail = os.path.splitdrive(path)
    first, separator, rest = tail[1:].partition(os.sep)
    return (drive + os.sep + first, rest) if separator else (drive + os.sep, first)
