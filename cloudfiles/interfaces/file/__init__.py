"""`file://`: local and network file systems."""

from cloudfiles.interfaces.file.interface import FileInterface

__all__ = ["FileInterface"]
