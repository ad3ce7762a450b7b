"""`Storage`: what any collection of files does that are put in by name and got out by name."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import Any

from cloudfiles.types import ListEntry


class BucketFile(ListEntry):
    """A file of a listing: `key`, `size`, `etag`, `last_modified`.

    Attributes:
        bucket_name: of the bucket it lies in; None where the protocol has none.
    """

    bucket_name: str | None = None

    @property
    def e_tag(self) -> str | None:
        """`etag`, by the name that boto3 gives it."""
        return self.etag


class Storage(ABC):
    """Files by name: what `Bucket` is, and what a storage of a program's own may be made from.

    A subclass says how files are listed, got, put, copied and removed. Indexing, `in` and iteration follow from that.
    """

    @abstractmethod
    def list_files(self) -> Sequence[Any]:
        """All files; each has a `key`."""

    @abstractmethod
    def get_file(self, remote: str, local: str | os.PathLike[str] | None = None, progress: Any = None) -> str:
        """Download a file, and give the name of the local one. Raises a ValueError where there is no such file."""

    @abstractmethod
    def get_all_files(self, output_dir: str | os.PathLike[str], progress: Any = None) -> Any:
        """Download all files into a directory, replacing those of the same names."""

    @abstractmethod
    def add_file(self, local_or_file: Any, remote: str | None = None) -> None:
        """Upload a local file, or what an open binary file still holds."""

    @abstractmethod
    def add_directory(self, local: str | os.PathLike[str], remote: str = "") -> Any:
        """Upload a directory with its sub-directories. Raises an OSError where it is none."""

    @abstractmethod
    def copy_file(self, source: str, dest: str) -> None:
        """Copy a file to another name."""

    @abstractmethod
    def delete_file(self, remote: str) -> None:
        """Remove a file; where there is none, nothing happens."""

    @abstractmethod
    def update(self, flush: bool = False) -> None:
        """Look anew at what is there, as far as it was remembered; with `flush` in any case."""

    def flush(self) -> None:  # noqa: B027 -- nothing to wait for is the common case
        """Wait for what is done in the background: nothing is."""

    # ---- as a mapping

    def __getitem__(self, remote: str) -> str:
        """As `get_file(remote)`."""
        return self.get_file(remote)

    def __setitem__(self, remote: str, local: Any) -> None:
        """As `add_file(local, remote)`."""
        self.add_file(local, remote)

    def __delitem__(self, remote: str) -> None:
        self.delete_file(remote)

    def __contains__(self, remote: object) -> bool:
        return any(file.key == remote for file in self.list_files())

    def __iter__(self) -> Iterator[str]:
        """The names of all files."""
        return iter([file.key for file in self.list_files()])
