"""What the scripted WebHDFS server holds: a tree of files and directories, with HDFS's rules for changing it."""

from __future__ import annotations

import hashlib
import itertools
import time
from dataclasses import dataclass, field
from typing import Any

from google_crc32c import value as crc32c

MAX_NAME = 255
BLOCK = 128 << 20
_numbers = itertools.count(16386)


class HdfsError(Exception):
    """An exception that the server reports."""

    def __init__(self, status: int, name: str, message: str = "") -> None:
        super().__init__(name)
        self.status = status
        self.document = {"RemoteException": {"exception": name, "javaClassName": f"org.apache.hadoop.{name}",
                                             "message": message or name}}


def missing(path: str) -> HdfsError:
    return HdfsError(404, "FileNotFoundException", f"File {path} not found.")


def not_a_directory(path: str) -> HdfsError:
    return HdfsError(403, "ParentNotDirectoryException", f"{path} (is not a directory)")


@dataclass
class Inode:
    """A file, or a directory."""

    content: bytes | None = None
    children: dict[str, Inode] = field(default_factory=dict)
    permission: str = "755"
    owner: str = "me"
    group: str = "supergroup"
    acl: list[str] = field(default_factory=list)
    number: int = field(default_factory=lambda: next(_numbers))
    modified: int = field(default_factory=lambda: int(time.time() * 1000))
    accessed: int = 0
    block: int = BLOCK

    @property
    def is_directory(self) -> bool:
        return self.content is None

    def status(self, name: str, *, file_ids: bool) -> dict[str, Any]:
        ids = {"fileId": self.number, "childrenNum": len(self.children)} if file_ids else {}
        return {"accessTime": self.accessed, "blockSize": 0 if self.is_directory else self.block, "group": self.group,
                "length": len(self.content or b""), "modificationTime": self.modified, "owner": self.owner,
                "pathSuffix": name, "permission": self.permission, "replication": 1,
                "type": "DIRECTORY" if self.is_directory else "FILE", **ids}

    def checksum(self) -> dict[str, Any]:
        content = self.content or b""
        crcs = b"".join(crc32c(content[at:at + 512]).to_bytes(4, "big") for at in range(0, len(content), 512))
        md5 = hashlib.md5(hashlib.md5(crcs).digest() + bytes(16)).digest()
        return {"algorithm": "MD5-of-0MD5-of-512CRC32C", "bytes": (bytes(12) + md5 + bytes(4)).hex(), "length": 28}


class Tree:
    """The namespace. Paths are absolute and decoded."""

    def __init__(self) -> None:
        self.root = Inode()

    def find(self, path: str) -> Inode:
        """Raises HdfsError if it is missing."""
        inode = self.root
        for name in _names(path):
            if not inode.is_directory:
                raise missing(path)
            if name not in inode.children:
                raise missing(path)
            inode = inode.children[name]
        return inode

    def get(self, path: str) -> Inode | None:
        try:
            return self.find(path)
        except HdfsError:
            return None

    def make_directory(self, path: str) -> Inode:
        inode = self.root
        for name in _names(path):
            self._check_name(name, path)
            if not inode.is_directory:
                raise not_a_directory(path)
            inode = inode.children.setdefault(name, Inode())
        if not inode.is_directory:
            raise not_a_directory(path)
        return inode

    def create(self, path: str, content: bytes, *, overwrite: bool, block: int = BLOCK) -> None:
        directory, _, name = path.rpartition("/")
        present = self.get(path)
        if present is not None and (present.is_directory or not overwrite):
            raise HdfsError(403, "FileAlreadyExistsException", f"{path} already exists")
        self._check_name(name, path)
        parent = self.make_directory(directory)
        parent.children[name] = Inode(content, block=block)

    def remove(self, path: str, *, recursive: bool) -> bool:
        inode = self.get(path)
        if inode is None or path == "/":
            return False
        if inode.children and not recursive:
            raise HdfsError(403, "PathIsNotEmptyDirectoryException", f"`{path} is non empty': Directory is not empty")
        directory, _, name = path.rpartition("/")
        del self.find(directory).children[name]
        return True

    def rename(self, source: str, target: str, *, overwrite: bool) -> None:
        """As with `renameoptions`: atomic, and never into a directory."""
        inode, present = self.find(source), self.get(target)
        directory, _, name = target.rpartition("/")
        if source == target or (present is not None and not overwrite):
            raise HdfsError(403, "FileAlreadyExistsException", f"rename destination {target} already exists")
        if f"{target}/".startswith(f"{source}/"):
            raise HdfsError(403, "IOException", "Rename destination is under the source")
        if present is not None and present.is_directory is not inode.is_directory:
            raise HdfsError(403, "IOException", f"Source {source} and destination {target} must both be directories")
        if present is not None and present.children:
            raise HdfsError(403, "IOException", f"rename destination directory is not empty: {target}")
        self._check_name(name, target)
        parent = self.get(directory)
        if parent is None:
            raise HdfsError(404, "FileNotFoundException", f"rename destination parent {target} not found.")
        if not parent.is_directory:
            raise not_a_directory(directory)
        above, _, old = source.rpartition("/")
        del self.find(above).children[old]
        parent.children[name] = inode

    def rename_without_options(self, source: str, target: str) -> bool:
        """As HttpFS does it: into a directory, never over a file, and without a reason."""
        present = self.get(target)
        if present is not None and present.is_directory:
            target = f"{target}/{source.rpartition('/')[2]}"
        try:
            self.rename(source, target, overwrite=False)
        except HdfsError:
            return False
        return True

    def _check_name(self, name: str, path: str) -> None:
        if len(name.encode()) > MAX_NAME:
            raise HdfsError(403, "PathComponentTooLongException", f"component {name} is too long")
        if ":" in name:
            raise HdfsError(400, "InvalidPathException", f"Invalid path name {path}")


def _names(path: str) -> list[str]:
    return [name for name in path.split("/") if name]
