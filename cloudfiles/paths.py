"""Parse and join cloudpaths.

A cloudpath is `[FORMAT://]PROTOCOL://[ENDPOINT/][BUCKET/]PATH` or `PROTOCOL://...|FORMAT:`.
The path is opaque: nothing in it is decoded, resolved or trimmed, with two exceptions. `file://`
makes it an absolute local path, and on `http(s)://` it is part of a URL, with its escapes and
query string.
"""

from __future__ import annotations

import ntpath
import os
import posixpath
import re
import sys
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

from cloudfiles.aliases import (
    ALLOWED_PROTOCOLS,
    add_alias,
    add_persistent_alias,
    registry,
    remove_persistent_alias,
    update_aliases_from_file,
)
from cloudfiles.exceptions import InvalidPathError, UnsupportedProtocolError, redact
from cloudfiles.lib import StrPath, toabs
from cloudfiles.protocols import FORMATS, PROTOCOLS, Shape, external_protocols, is_protocol, shape_of
from cloudfiles.values import NamedTuple

__all__ = [
    "ALLOWED_PROTOCOLS", "ExtractedPath", "MalformedCloudpathError", "absolute", "add_alias", "add_persistent_alias",
    "asbucketpath", "ascloudpath", "asfilepath", "asprotocolpath", "basename", "dirname", "extract",
    "find_common_buckets", "get_protocol", "join", "normalize", "remove_persistent_alias", "to_https_protocol",
    "update_aliases_from_file",
]

# `re` compiles and keeps these patterns when they are used.
# Two characters at least, so that `C://data` is a drive and not a protocol.
_SCHEME = r"(?a)([A-Za-z][\w+.\-]+)://"
_COLLAPSED_SCHEME = r"(?a)([A-Za-z][\w+.\-]+):/(?!/)"
_MISTYPED = r"(?a)\s*([A-Za-z][\w+\-]+)(?:[:;][/\\]*|(?=//))[/\\]*"
_BUCKET = r"(?!\.\.?(?:/|\Z))(\$?[\w~.\-]+(?::\d+)?)(?:/|\Z)"
_NETLOC = r"[^/?#\\\s]*[^/?#\\\s:](?=[/?#]|\Z)"
# Azure storage accounts. A URL with a query is presigned: it is read as a web address.
_AZURE = (r"[a-z0-9\-]{3,}(?:\.z\d+)?\.(?:blob|dfs)\.(?:core\.(?:windows\.net|chinacloudapi\.cn|"
          r"usgovcloudapi\.net|cloudapi\.de)|storage\.azure\.net)/[^/?#]+(?:/[^?#]*)?\Z")
_TAIL_FORMAT = r"(?a)\|([\w\-]+):\Z"
_DRIVE_AFTER_SLASH = r"/(?=[A-Za-z]:[\\/])"

_DEFAULT_FORMAT = "precomputed"
_TAIL_OF_DEFAULT = "neuroglancer-precomputed"


class MalformedCloudpathError(InvalidPathError, UnsupportedProtocolError):
    """A cloudpath that cannot be parsed. It has two base classes, because programs catch either."""

    def __init__(self, message: str = "", **context: Any) -> None:
        super().__init__(
            f"{message}. A cloudpath has the form [FORMAT://]PROTOCOL://[BUCKET/]PATH, such as gs://bucket/key, "
            "s3://https://host/bucket/key, file:///directory or https://host/path" if message else "", **context)


class ExtractedPath(NamedTuple):
    """A parsed cloudpath.

    Attributes:
        format: the data format; 'precomputed' if there is none.
        protocol: that of the store: aliases are resolved.
        bucket: None for protocols without buckets.
        path: the rest; '' for the root. Absolute on `file://`.
        host: `http(s)://HOST` of a web server or a custom endpoint, or None.
        alias: the alias that was used instead of protocol and host, or None.
    """

    format: str | None
    protocol: str
    bucket: str | None
    path: str | None
    host: str | None = None
    alias: str | None = None

    def __repr__(self) -> str:
        """Without secrets, which host and path may contain on `http(s)://`."""
        fields = ", ".join(f"{name}={value!r}" for name, value in zip(self._fields, self, strict=True))
        return redact(f"ExtractedPath({fields})")


# ---- parsing


def extract(cloudpath: StrPath, windows: bool | None = None) -> ExtractedPath:
    """Parse a cloudpath.

    Args:
        cloudpath: a cloudpath, or a `pathlib.Path` for a local path.
        windows: interpret local paths as on Windows; None: as on this machine.

    Raises:
        UnsupportedProtocolError: the protocol is neither supported nor an alias.
        InvalidPathError: protocol, bucket or host is missing, or the cloudpath is malformed.
        ConfigurationError: the protocol is unknown and the alias file cannot be read.
    """
    extracted = _parse(_text(cloudpath), registry.version)
    if extracted.protocol != "file":
        return extracted
    return extracted._replace(path=_local(extracted.path or "", windows))


@lru_cache(maxsize=4096)
def _parse(cloudpath: str, _aliases_version: int) -> ExtractedPath:
    """The part of `extract` that does not depend on the working directory and the machine."""
    form, protocol, rest = _split(cloudpath)
    if not protocol:
        raise MalformedCloudpathError(f"{cloudpath!r} has no protocol (normalize() turns local paths into cloudpaths)")
    alias = None
    target = registry.target(protocol)
    if target is not None:
        alias = protocol
        protocol, rest = _cut_scheme(target + rest)
    if protocol == "https" and re.match(_AZURE, rest):
        protocol, rest = "az", "https://" + _unquoted(rest)
    shape = shape_of(protocol)
    host, rest = _cut_host(shape, rest, cloudpath)
    bucket, rest = _cut_bucket(rest, cloudpath) if shape.bucket else (None, rest)
    if protocol == "file":
        _check_local(rest, cloudpath)
    return ExtractedPath(form or _DEFAULT_FORMAT, protocol, bucket, rest, host, alias)


def _text(cloudpath: StrPath) -> str:
    if isinstance(cloudpath, str):
        text = str.__str__(cloudpath)  # subclasses may override __str__
    elif isinstance(cloudpath, os.PathLike) and isinstance(os.fspath(cloudpath), str):
        text = _text_of_local(os.fspath(cloudpath))
    else:
        raise MalformedCloudpathError(f"expected a cloudpath (a str or a pathlib.Path), got {type(cloudpath).__name__}")
    if not text:
        raise MalformedCloudpathError("the cloudpath is empty")
    return text


def _text_of_local(path: str) -> str:
    collapsed = re.match(_COLLAPSED_SCHEME, path)
    if collapsed and (collapsed[1] in PROTOCOLS or collapsed[1] in FORMATS):
        raise MalformedCloudpathError(
            f"pathlib collapsed the slashes of a cloudpath, giving {path!r}: pass cloudpaths as str")
    return path if re.match(_SCHEME, path) else "file://" + path


def _split(cloudpath: str) -> tuple[str, str, str]:
    """Format and protocol ('' if there is none), and the rest. The protocol is known, or an alias."""
    text, form = _cut_tail_format(cloudpath)
    protocol, rest = _cut_scheme(text)
    while protocol in FORMATS:
        if form and form != protocol:
            raise MalformedCloudpathError(f"{cloudpath!r} has two data formats, {protocol} and {form}")
        form = protocol
        protocol, rest = _cut_scheme(rest)
    if protocol and not _is_known(protocol):
        supported = ", ".join([*ALLOWED_PROTOCOLS, *external_protocols()])
        raise UnsupportedProtocolError(f"unsupported protocol {protocol}:// in {cloudpath!r}; supported: {supported}")
    return form, protocol, rest


def _is_known(protocol: str) -> bool:
    """Whether `protocol` is built in, an alias, or added by another package."""
    return protocol in PROTOCOLS or registry.target(protocol) is not None or is_protocol(protocol)


def _cut_scheme(text: str) -> tuple[str, str]:
    match = re.match(_SCHEME, text)
    return (match[1], text[match.end():]) if match else ("", text)


def _cut_tail_format(text: str) -> tuple[str, str]:
    """Only known formats count, because a key may look like one at its end (`a|b:`)."""
    match = re.search(_TAIL_FORMAT, text)
    if match and match[1] == _TAIL_OF_DEFAULT:
        return text[:match.start()], ""
    if match and match[1] in FORMATS:
        return text[:match.start()], match[1]
    return text, ""


def _unquoted(url: str) -> str:
    """The rest of a URL as in a cloudpath, with its keys unquoted."""
    from urllib.parse import unquote  # imported here because it takes 3 ms

    return unquote(url, errors="surrogateescape") if "%" in url else url


def _cut_host(shape: Shape, rest: str, cloudpath: str) -> tuple[str | None, str]:
    if shape.at_host and "@" in rest.partition("/")[0]:
        bucket, _, rest = rest.partition("@")
        host, rest = _cut_host(PROTOCOLS["https"], rest, cloudpath)
        return host, f"{bucket}/{rest}"
    scheme = shape.scheme
    if shape.endpoint and rest.startswith(("http://", "https://")):
        scheme, rest = _cut_scheme(rest)
    if not scheme:
        return None, rest
    netloc = re.match(_NETLOC, rest)
    if netloc is None:
        raise MalformedCloudpathError(f"{cloudpath!r} has no valid host after {scheme}://")
    return f"{scheme}://{netloc[0]}", rest[netloc.end():].removeprefix("/")


def _cut_bucket(rest: str, cloudpath: str) -> tuple[str, str]:
    match = re.match(_BUCKET, rest)
    if match is None:
        raise MalformedCloudpathError(f"{cloudpath!r} does not have a valid bucket name")
    return match[1], rest[match.end():]


# ---- local paths


def check_typing(text: str, otherwise: str = "For a local path of this name, prefix it with ./") -> None:
    """Reject cloudpaths with a mistyped `://`: `s3:/bucket`, `s3//bucket`, `http:/host`, `s3:bucket`.

    otherwise: advice for the case that the path is meant as it is written.
    """
    slip = re.match(_MISTYPED, text)
    protocol = slip[1].lower() if slip else ""
    if slip and (protocol in PROTOCOLS or registry.target(protocol) is not None):
        root = "/" if protocol == "file" and slip[0].endswith("/") else ""
        meant = redact(f"{protocol}://{root}{text[slip.end():]}")
        raise MalformedCloudpathError(f"'://' is missing after the protocol; did you mean {meant}? {otherwise}")


def _check_local(path: str, cloudpath: str) -> None:
    if not path:
        raise MalformedCloudpathError(f"{cloudpath!r} has no path; the current directory is file://.")
    if "\0" in path:
        raise MalformedCloudpathError(f"{cloudpath!r} contains a NUL, which local paths cannot")
    inner = _cut_scheme(path)[0]
    if inner in PROTOCOLS or inner in FORMATS:
        raise MalformedCloudpathError(f"{cloudpath!r} has two protocols, file and {inner}")


def _local(path: str, windows: bool | None) -> str:
    """An absolute local path. A path with a Windows drive or share is unchanged."""
    if windows or (windows is None and sys.platform == "win32"):
        path = re.sub(_DRIVE_AFTER_SLASH, "", path, count=1) if path.startswith("/") else path
        if ntpath.isabs(path) and ntpath.splitdrive(path)[0]:
            return path
    return toabs(path)


def _cut_directory(path: str) -> tuple[str, str]:
    """The first directory of an absolute local path (the root, for a file in it), and the rest."""
    drive, tail = os.path.splitdrive(path)
    first, separator, rest = tail[1:].partition(os.sep)
    return (drive + os.sep + first, rest) if separator else (drive + os.sep, first)


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
    text = _text(path)
    form, protocol, rest = _split(text)
    if protocol in ("", "file"):
        _check_local(rest, text)
        if not protocol:
            check_typing(rest)
        stays = isinstance(path, str) and protocol == "file" and (relative or rest.startswith("/"))
        protocol, rest = "file", rest if stays else _local(rest, windows)
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
    form, protocol, _ = _split(_text(cloudpath))
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
    protocol, rest = _cut_scheme(_plain(cloudpath))
    if protocol in FORMATS:
        protocol, rest = _cut_scheme(rest)
    return protocol if protocol and _is_known(protocol) else None


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
