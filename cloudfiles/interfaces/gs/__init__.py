"""The protocol `gs://`."""

from cloudfiles.interfaces.gs.interface import GsInterface

__all__ = ["GsInterface"]
