"""The parser of cloudpaths.

A cloudpath is `[FORMAT://]PROTOCOL://[ENDPOINT/][BUCKET/]PATH` or `PROTOCOL://...|FORMAT:`.
The path is opaque: nothing in it is decoded, resolved or trimmed, with two exceptions. `file://`
makes it an absolute local path, and on `http(s)://` it is part of a URL, with its escapes and
query string.
"""

from __future__ import annotations

import os
import re
import sys
from functools import lru_cache
from typing import Any

from cloudfiles.aliases import ALLOWED_PROTOCOLS, registry
from cloudfiles.exceptions import InvalidPathError, UnsupportedProtocolError, redact
from cloudfiles.lib import StrPath, toabs
from cloudfiles.protocols import FORMATS, PROTOCOLS, Shape, external_protocols, is_protocol, shape_of
from cloudfiles.values import NamedTuple

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
    extracted = _parse(text_of(cloudpath), registry.version)
    if extracted.protocol != "file":
        return extracted
    return extracted._replace(path=local_path(extracted.path or "", windows))


@lru_cache(maxsize=4096)
def _parse(cloudpath: str, _aliases_version: int) -> ExtractedPath:
    """The part of `extract` that does not depend on the working directory and the machine."""
    try:
        cloudpath.encode(errors="surrogateescape")  # undecodable bytes in names of files are such surrogates (PEP 383)
    except UnicodeEncodeError as error:
        raise MalformedCloudpathError(f"{cloudpath!a} cannot be encoded in UTF-8: {error.reason}") from None
    form, protocol, rest = split_cloudpath(cloudpath)
    if not protocol:
        raise MalformedCloudpathError(f"{cloudpath!r} has no protocol (normalize() turns local paths into cloudpaths)")
    alias = None
    target = registry.target(protocol)
    if target is not None:
        alias = protocol
        protocol, rest = cut_scheme(target + rest)
    if protocol == "https" and re.match(_AZURE, rest):
        protocol, rest = "az", "https://" + _unquoted(rest)
    shape = shape_of(protocol)
    host, rest = _cut_host(shape, rest, cloudpath)
    bucket, rest = _cut_bucket(rest, cloudpath) if shape.bucket else (None, rest)
    if protocol == "file":
        check_local(rest, cloudpath)
    return ExtractedPath(form or _DEFAULT_FORMAT, protocol, bucket, rest, host, alias)


def text_of(cloudpath: StrPath) -> str:
    """The cloudpath as a plain str, that of a pathlib.Path with `file://`."""
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


def split_cloudpath(cloudpath: str) -> tuple[str, str, str]:
    """Format and protocol ('' if there is none), and the rest. The protocol is known, or an alias."""
    text, form = _cut_tail_format(cloudpath)
    protocol, rest = cut_scheme(text)
    while protocol in FORMATS:
        if form and form != protocol:
            raise MalformedCloudpathError(f"{cloudpath!r} has two data formats, {protocol} and {form}")
        form = protocol
        protocol, rest = cut_scheme(rest)
    if protocol and not is_known_protocol(protocol):
        supported = ", ".join([*ALLOWED_PROTOCOLS, *external_protocols()])
        raise UnsupportedProtocolError(f"unsupported protocol {protocol}:// in {cloudpath!r}; supported: {supported}")
    return form, protocol, rest


def is_known_protocol(protocol: str) -> bool:
    """Whether `protocol` is built in, an alias, or added by another package."""
    return protocol in PROTOCOLS or registry.target(protocol) is not None or is_protocol(protocol)


def cut_scheme(text: str) -> tuple[str, str]:
    """What is before and behind the first `://`, or '' and everything."""
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
        scheme, rest = cut_scheme(rest)
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


def check_local(path: str, cloudpath: str) -> None:
    """Reject a local path that is empty, has a NUL, or has another protocol in front of it."""
    if not path:
        raise MalformedCloudpathError(f"{cloudpath!r} has no path; the current directory is file://.")
    if "\0" in path:
        raise MalformedCloudpathError(f"{cloudpath!r} contains a NUL, which local paths cannot")
    inner = cut_scheme(path)[0]
    if inner in PROTOCOLS or inner in FORMATS:
        raise MalformedCloudpathError(f"{cloudpath!r} has two protocols, file and {inner}")


def local_path(path: str, windows: bool | None) -> str:
    """An absolute local path. A path with a Windows drive or share is unchanged."""
    if windows or (windows is None and sys.platform == "win32"):
        path = re.sub(_DRIVE_AFTER_SLASH, "", path, count=1) if path.startswith("/") else path
        import ntpath  # here, as few programs need it

        if ntpath.isabs(path) and ntpath.splitdrive(path)[0]:
            return path
    return toabs(path)
