"""The protocols, each in its own module, which is imported on first use."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from cloudfiles.exceptions import UnsupportedProtocolError

if TYPE_CHECKING:
    from cloudfiles.interfaces.base import Interface

_INTERFACES = {
    "file": "cloudfiles.interfaces.file.interface:FileInterface",
    "mem": "cloudfiles.interfaces.mem:MemInterface",
    "gs": "cloudfiles.interfaces.gs:GsInterface",
    "s3": "cloudfiles.interfaces.s3:S3Interface",
    "az": "cloudfiles.interfaces.azure:AzureInterface",
    "abfs": "cloudfiles.interfaces.azure:AzureInterface",
    "abfss": "cloudfiles.interfaces.azure:AzureInterface",
    "http": "cloudfiles.interfaces.http.interface:HttpInterface",
    "https": "cloudfiles.interfaces.http.interface:HttpInterface",
    "middleauth+https": "cloudfiles.interfaces.http.interface:HttpInterface",
    "ngauth+https": "cloudfiles.interfaces.http.interface:HttpInterface",
}
"""To add a protocol, add a line here and one in `protocols.py`."""


def interface_class(protocol: str) -> type[Interface]:
    """The class that implements `protocol`. Raises UnsupportedProtocolError, which lists the supported ones."""
    try:
        module, name = _INTERFACES[protocol].split(":")
    except KeyError:
        raise UnsupportedProtocolError(
            f"unsupported protocol {protocol!r}; supported: {', '.join(_INTERFACES)}"
        ) from None
    found: type[Interface] = getattr(import_module(module), name)
    return found


def __getattr__(name: str) -> object:
    if name == "COMPRESSION_EXTENSIONS":  # where existing programs look for it
        from cloudfiles.compression import COMPRESSION_EXTENSIONS

        return COMPRESSION_EXTENSIONS
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
