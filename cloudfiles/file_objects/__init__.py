"""File objects: objects of any store, opened for reading, writing or appending."""

from cloudfiles.file_objects.blocks import read_block
from cloudfiles.file_objects.opening import open_file

__all__ = ["open_file", "read_block"]
