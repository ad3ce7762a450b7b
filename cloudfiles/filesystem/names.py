"""The names of a file system, and the stores and keys that they stand for.

A name has no protocol. In a file system with a root, it is a key below the root. In one of a whole protocol, it begins
with the bucket (on `webhdfs://` and the web with the host); on `file://` it is an absolute path.
"""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from pathlib import PurePath
from typing import Any, NamedTuple

from fsspec.utils import stringify_path

from cloudfiles.cloudfiles import CloudFiles
from cloudfiles.exceptions import InvalidPathError, redact
from cloudfiles.inputs import as_path
from cloudfiles.lib import toabs
from cloudfiles.paths import absolute, asprotocolpath, extract, get_protocol

OWN_PREFIX = "cf+"
"""What the names of our protocols in fsspec begin with: `cf+s3://bucket/key`."""


class Place(NamedTuple):
    """A store, and what the names of its objects begin with.

    Attributes:
        cf: the store.
        prefix: what precedes a key in a name: '', or the bucket with a '/'.
    """

    cf: CloudFiles
    prefix: str

    def key(self, name: str) -> str:
        return name[len(self.prefix):]

    def name(self, key: str) -> str:
        """The name of an object or a directory: without a '/' at its end."""
        return (self.prefix + key).rstrip("/") or self.prefix.rstrip("/") or self.prefix


class Names(ABC):
    """How a file system finds the store and the key of a path."""

    root_marker = ""

    def __init__(self, options: Mapping[str, Any]) -> None:
        self.options = dict(options)

    @abstractmethod
    def name(self, path: Any) -> str:
        """The name of a path: a name, a cloudpath, a `PurePath`, or an fsspec object that has a path."""

    @abstractmethod
    def cloudpath(self, name: str) -> str:
        """The cloudpath of a name."""

    @abstractmethod
    def place(self, name: str) -> Place:
        """The store that has this name. Raises InvalidPathError."""

    def locate(self, name: str) -> tuple[CloudFiles, str]:
        """The store and the key of a name."""
        place = self.place(name)
        return place.cf, place.key(name)

    def by_place(self, names: Iterable[str]) -> dict[Place, list[str]]:
        """The names by the store that has them, in order."""
        places: dict[Place, list[str]] = {}
        for name in names:
            places.setdefault(self.place(name), []).append(name)
        return places

    def parent(self, path: Any) -> str:
        above, slash, _ = self.name(path).rpartition("/")
        return above or (self.root_marker if slash else "")


class RootedNames(Names):
    """Names below one cloudpath, which are the keys of its `CloudFiles`."""

    def __init__(self, cloudpath: Any, options: Mapping[str, Any]) -> None:
        super().__init__(options)
        self._place = Place(CloudFiles(cloudpath, **options), "")
        self._root = extract(self._place.cf.cloudpath)
        self._directory = (self._root.path or "").rstrip("/") + "/" if self._root.path else ""

    def name(self, path: Any) -> str:
        text = path if type(path) is str else _text(path)
        if "://" in text:
            text = self._below_root(text)
        return text.strip("/")

    def _below_root(self, text: str) -> str:
        plain = text.removeprefix(OWN_PREFIX)
        if get_protocol(plain) is None:
            return text
        other = extract(absolute(plain))
        path = other.path or ""
        is_same_store = other[1:3] == self._root[1:3] and other.host in (None, self._root.host)
        if is_same_store and (path + "/").startswith(self._directory):
            return path[len(self._directory):]
        raise InvalidPathError(f"{redact(plain)!r} is not below the root of this file system, "
                               f"{redact(self._place.cf.cloudpath)!r}")

    def cloudpath(self, name: str) -> str:
        return asprotocolpath(self._root._replace(path=self._directory + name))

    def place(self, name: str) -> Place:
        return self._place


class ProtocolNames(Names):
    """Names in all buckets of a protocol, whose first component is the bucket (or the host)."""

    def __init__(self, protocol: str, options: Mapping[str, Any]) -> None:
        super().__init__(options)
        self.protocol = protocol
        self._places: dict[str, Place] = {}

    def name(self, path: Any) -> str:
        text = path if type(path) is str else _text(path)
        endpoint = endpoint_of(self.protocol, text) if "://" in text else None
        if endpoint is not None and endpoint.lower() != str(self.options.get("endpoint")).rstrip("/").lower():
            raise InvalidPathError(f"{redact(text)!r} names another endpoint than that of this file system, "
                                   f"{redact(str(self.options.get('endpoint') or 'the default one'))!r}")
        return strip_protocol(self.protocol, text)

    def cloudpath(self, name: str) -> str:
        return f"{self.protocol}://{name}"

    def place(self, name: str) -> Place:
        bucket = name.partition("/")[0]
        place = self._places.get(bucket)
        if place is None:
            if not bucket:
                raise InvalidPathError(f"expected a path that begins with a bucket, got {name!r}: the buckets of "
                                       f"{self.protocol}:// cannot be listed")
            cf = CloudFiles(f"{self.protocol}://{bucket}/", **self.options)
            place = self._places.setdefault(bucket, Place(cf, bucket + "/"))
        return place


class LocalNames(Names):
    """Absolute paths of local files."""

    root_marker = "/"

    def __init__(self, options: Mapping[str, Any]) -> None:
        super().__init__(options)
        self._place = Place(CloudFiles("file:///", **options), "/")

    def name(self, path: Any) -> str:
        return strip_protocol("file", path)

    def cloudpath(self, name: str) -> str:
        return f"file://{name}"

    def place(self, name: str) -> Place:
        return self._place


def strip_protocol(protocol: str, path: Any) -> str:
    """The name of a path in a file system of a whole protocol."""
    text = _text(path)
    plain = text.removeprefix(OWN_PREFIX)
    if plain.startswith(f"{protocol}://"):
        text = plain[len(protocol) + 3:]
        if text.startswith(("http://", "https://")):  # the endpoint, see `endpoint_of`
            text = text.partition("://")[2].partition("/")[2]
    if protocol == "file":
        return toabs(text).rstrip("/") or "/"
    return text.strip("/")


def endpoint_of(protocol: str, path: Any) -> str | None:
    """The endpoint in `s3://https://host/bucket/key`; None if there is none."""
    plain = _text(path).removeprefix(OWN_PREFIX).removeprefix(f"{protocol}://")
    if not plain.startswith(("http://", "https://")):
        return None
    scheme, _, rest = plain.partition("://")
    return f"{scheme}://{rest.partition('/')[0]}"


def _text(path: Any) -> str:
    plain = path if isinstance(path, PurePath) else stringify_path(path)
    text = as_path(plain)
    return text.replace(os.sep, "/") if os.sep != "/" else text
