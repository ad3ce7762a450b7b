"""The protocols, each in its own module, which is imported on first use."""

from __future__ import annotations

from functools import lru_cache
from importlib import import_module
from typing import TYPE_CHECKING

from cloudfiles.exceptions import ConfigurationError, UnsupportedProtocolError
from cloudfiles.protocols import external_protocols, load_external

if TYPE_CHECKING:
    from cloudfiles.interfaces.base import Interface as Interface
    from cloudfiles.interfaces.traits import StoreTraits as StoreTraits

_INTERFACES = {
    "file": "cloudfiles.interfaces.file.interface:FileInterface",
    "mem": "cloudfiles.interfaces.mem:MemInterface",
    "gs": "cloudfiles.interfaces.gs:GsInterface",
    "s3": "cloudfiles.interfaces.s3:S3Interface",
    "az": "cloudfiles.interfaces.azure:AzureInterface",
    "abfs": "cloudfiles.interfaces.azure:AzureInterface",
    "abfss": "cloudfiles.interfaces.azure:AzureInterface",
    "webhdfs": "cloudfiles.interfaces.webhdfs:WebHdfsInterface",
    "swebhdfs": "cloudfiles.interfaces.webhdfs:WebHdfsInterface",
    "adl": "cloudfiles.interfaces.adl:AdlInterface",
    "http": "cloudfiles.interfaces.http.interface:HttpInterface",
    "https": "cloudfiles.interfaces.http.interface:HttpInterface",
    "middleauth+https": "cloudfiles.interfaces.http.interface:HttpInterface",
    "ngauth+https": "cloudfiles.interfaces.http.interface:HttpInterface",
}
"""To add a built-in protocol, add a line here and one in `protocols.py`."""


def interface_class(protocol: str) -> type[Interface]:
    """The class that implements `protocol`.

    Raises:
        UnsupportedProtocolError: there is no such protocol, neither built in nor added by a package.
        ConfigurationError: a package adds it, but by an entry point that is not an `Interface`.
    """
    if protocol in _INTERFACES:
        module, name = _INTERFACES[protocol].split(":")
        found: type[Interface] = getattr(import_module(module), name)
        return found
    if protocol in external_protocols():
        return _external_class(protocol)
    supported = ", ".join([*_INTERFACES, *external_protocols()])
    raise UnsupportedProtocolError(f"unsupported protocol {protocol!r}; supported: {supported}")


@lru_cache(maxsize=64)
def _external_class(protocol: str) -> type[Interface]:
    from cloudfiles.interfaces.base import Interface

    found = load_external(protocol)
    if not (isinstance(found, type) and issubclass(found, Interface)):
        raise ConfigurationError(f"the entry point of the protocol {protocol}:// is {found!r}; expected a subclass of "
                                 "cloudfiles.interfaces.Interface")
    missing = sorted(getattr(found, "__abstractmethods__", ()))
    if missing:
        raise ConfigurationError(f"{found.__name__}, the interface of the protocol {protocol}://, does not implement "
                                 f"{', '.join(missing)}")
    return found


def __getattr__(name: str) -> object:
    if name == "Interface":  # for packages that add protocols
        from cloudfiles.interfaces.base import Interface

        return Interface
    if name == "StoreTraits":
        from cloudfiles.interfaces.traits import StoreTraits

        return StoreTraits
    if name == "COMPRESSION_EXTENSIONS":  # where existing programs look for it
        from cloudfiles.content_encoding import COMPRESSION_EXTENSIONS

        return COMPRESSION_EXTENSIONS
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
