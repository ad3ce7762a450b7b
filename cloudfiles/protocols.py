"""The protocols and data formats of cloudpaths: built-in protocols, one line each, and those of other packages.

Another package adds a protocol by an entry point of the group `cloudfiles.protocols`: its name is the protocol, its
value `module:Class` a subclass of `cloudfiles.interfaces.Interface`. Entry points are looked up when a cloudpath
has a protocol that is not built in. They cannot replace a built-in protocol.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from cloudfiles.exceptions import ConfigurationError, UnsupportedProtocolError
from cloudfiles.values import NamedTuple

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

ENTRY_POINT_GROUP = "cloudfiles.protocols"


class Shape(NamedTuple):
    """How the text after `PROTOCOL://` is interpreted.

    Attributes:
        bucket: its first component is a bucket.
        endpoint: it may start with the address of a server, `http(s)://HOST`.
        at_host: a bucket may be followed by its server: `BUCKET@HOST`.
        scheme: it starts with a host that is reached by this scheme; '' if it does not.
        https: the public address for reading buckets by plain HTTPS; '' if there is none.
    """

    bucket: bool = False
    endpoint: bool = False
    at_host: bool = False
    scheme: str = ""
    https: str = ""


PROTOCOLS = {
    "gs": Shape(bucket=True, endpoint=True, https="https://storage.googleapis.com"),
    "file": Shape(),
    "s3": Shape(bucket=True, endpoint=True, https="https://s3.amazonaws.com"),
    "az": Shape(bucket=True, endpoint=True),
    "abfs": Shape(bucket=True, at_host=True),
    "abfss": Shape(bucket=True, at_host=True),
    "http": Shape(scheme="http"),
    "https": Shape(scheme="https"),
    "webhdfs": Shape(scheme="http"),
    "swebhdfs": Shape(scheme="https"),
    "adl": Shape(scheme="https"),
    "mem": Shape(bucket=True),
    "middleauth+https": Shape(scheme="https"),
    "ngauth+https": Shape(scheme="https"),
}

_EXTERNAL = Shape(bucket=True)
"""All protocols of other packages: `NAME://BUCKET/PATH`."""


@lru_cache(maxsize=1)
def external_protocols() -> dict[str, list[EntryPoint]]:
    """The protocols that installed packages add, with their entry points: several where packages disagree."""
    from importlib.metadata import entry_points

    found: dict[str, dict[str, EntryPoint]] = {}
    for entry in entry_points(group=ENTRY_POINT_GROUP):
        if entry.name not in PROTOCOLS:
            found.setdefault(entry.name, {})[entry.value] = entry
    return {name: list(entries.values()) for name, entries in found.items()}


def is_protocol(name: str) -> bool:
    """Whether `name` is a protocol: built in, or added by another package."""
    return name in PROTOCOLS or name in external_protocols()


def shape_of(protocol: str) -> Shape:
    """How cloudpaths of `protocol` are read. Raises UnsupportedProtocolError if there is no such protocol."""
    shape = PROTOCOLS.get(protocol)
    if shape is not None:
        return shape
    if protocol in external_protocols():
        return _EXTERNAL
    raise UnsupportedProtocolError(f"unsupported protocol {protocol!r}")


def load_external(protocol: str) -> object:
    """What the entry point of a protocol of another package names.

    Raises ConfigurationError if it cannot be imported, or if several packages add the protocol.
    """
    entries = external_protocols()[protocol]
    if len(entries) > 1:
        packages = ", ".join(sorted(f"{_package(entry)} ({entry.value})" for entry in entries))
        raise ConfigurationError(f"several packages add the protocol {protocol}://: {packages}; uninstall all but one")
    entry = entries[0]
    try:
        return entry.load()
    except Exception as error:
        raise ConfigurationError(f"the protocol {protocol}:// of the package {_package(entry)} cannot be loaded from "
                                 f"{entry.value!r}: {type(error).__name__}: {error}") from error


def _package(entry: EntryPoint) -> str:
    return entry.dist.name if entry.dist is not None else "unknown"


FORMATS = frozenset({
    "boss", "brainmaps", "deepzoom", "dvid", "graphene", "n5", "nggraph", "nifti", "precomputed", "render", "vtk",
    "zarr", "zarr2", "zarr3",
})
"""Data formats, known only to parse cloudpaths that contain them."""
