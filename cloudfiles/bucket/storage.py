"""`Storage`: the base class of collections of files that are accessed by name."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeAlias

from cloudfiles.inputs import BinaryReader
from cloudfiles.lib import StrPath
from cloudfiles.types import ListEntry

FileProgress: TypeAlias = "Callable[[int, int, str], object] | bool | None"
"""A callback `(read, total, filename)`, in bytes, or True for a progress bar."""


class BucketFile(ListEntry):
    """A file of a listing: `key`, `size`, `etag`, `last_modified`.

    Attributes:
        bucket_name: the name of its bucket; None if the protocol has no buckets.
    """

    bucket_name: str | None = None

    @property
    def e_tag(self) -> str | None:
        """The same as `etag`, with the name used by boto3."""
        return self.etag


class Storage(ABC):
    """A collection of files that are accessed by name: the base class of `Bucket`, and of storages of your own.

    A subclass implements listing, downloading, uploading, copying and deleting files. Indexing, `in` and iteration
    are based on these methods.
    """

    @abstractmethod
    def list_files(self) -> Sequence[Any]:
        """All files, each with an attribute `key`."""

    @abstractmethod
    def get_file(self, remote: str, local: StrPath | None = None, progress: FileProgress = None) -> str:
        """Download a file and return the name of the local one. Raises a ValueError if the file does not exist."""

    @abstractmethod
    def get_all_files(self, output_dir: StrPath, progress: FileProgress = None) -> Any:
        """Download all files into a directory, replacing existing files of the same names."""

    @abstractmethod
    def add_file(self, local_or_file: StrPath | BinaryReader, remote: str | None = None) -> None:
        """Upload a local file, or the rest of an open binary file."""

    @abstractmethod
    def add_directory(self, local: StrPath, remote: str = "") -> Any:
        """Upload a directory with its subdirectories. Raises an OSError if it is not a directory."""

    @abstractmethod
    def copy_file(self, source: str, dest: str) -> None:
        """Copy a file to another name."""

    @abstractmethod
    def delete_file(self, remote: str) -> None:
        """Delete a file; a missing file is ignored."""

    @abstractmethod
    def update(self, flush: bool = False) -> None:
        """Refresh cached listings that have expired, or, with `flush`, all of them."""

    def flush(self) -> None:  # noqa: B027 -- most storages have nothing to wait for
        """Wait for background operations. There are none by default."""

    # ---- as a mapping

    def __getitem__(self, remote: str) -> str:
        """The same as `get_file(remote)`."""
        return self.get_file(remote)

    def __setitem__(self, remote: str, local: StrPath | BinaryReader) -> None:
        """The same as `add_file(local, remote)`."""
        self.add_file(local, remote)

    def __delitem__(self, remote: str) -> None:
        self.delete_file(remote)

    def __contains__(self, remote: object) -> bool:
        return any(file.key == remote for file in self.list_files())

    def __iter__(self) -> Iterator[str]:
        """The names of all files."""
        return iter([file.key for file in self.list_files()])
