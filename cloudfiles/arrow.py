"""A file system for pyarrow over any cloudpath. Requires pyarrow (`pip install 'cloudfiles[arrow]'`)."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from cloudfiles.batch.existence import one_by_one
from cloudfiles.batch.lister import list_pages
from cloudfiles.cloudfiles import CloudFiles
from cloudfiles.exceptions import InvalidInputError, MissingExtraError, MissingObjectError, UnsupportedOperationError
from cloudfiles.lib import StrPath
from cloudfiles.transfer.compare import when
from cloudfiles.types import StoredObject

try:
    import pyarrow
    from pyarrow.fs import FileInfo, FileSelector, FileSystemHandler, FileType, PyFileSystem
except ImportError as error:
    raise MissingExtraError("cloudfiles.arrow needs pyarrow: pip install 'cloudfiles[arrow]'") from error

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from cloudfiles.cloudfiles import CloudFilesOptions

TAIL_BYTES = 64 << 10
"""Bytes at the end of a file that are read when it is opened, with its size: pyarrow looks for footers there."""


def arrow_file_system(cloudpath: StrPath | CloudFiles, **options: Unpack[CloudFilesOptions]) -> PyFileSystem:
    """A `pyarrow.fs.FileSystem` for the objects below a cloudpath.

    Args:
        cloudpath: a cloudpath, or a `CloudFiles`, whose options are then used.
        options: the options of `CloudFiles`, if a cloudpath is given.

    Raises:
        InvalidInputError: (also a ValueError) an option is invalid.
    """
    return PyFileSystem(CloudFilesHandler(cloudpath, **options))


class CloudFilesHandler(FileSystemHandler):  # type: ignore[misc]
    """The handler of a `pyarrow.fs.PyFileSystem` for the objects below a cloudpath: see `arrow_file_system`.

    Paths are relative to the cloudpath, with '' for itself. Files are stored bytes by their exact names. Information
    about many files, and listings, are requested in batches. In an object store, a directory exists as long as there
    are objects in it, and creating one does nothing.

    Opening a file for random access takes one request, which also reads its end (64 KiB), where Parquet, ORC and
    Feather files have their footers. Then exactly the ranges are read that pyarrow asks for, all of one version: if the
    object is replaced meanwhile, reading raises an ObjectChangedError.

    A file that is written appears when it is closed, completely or not at all. pyarrow closes a stream also at the end
    of a `with` block that raises: what was written until then is stored.

    Args:
        cloudpath, options: as for `arrow_file_system`.

    Attributes:
        cloudfiles: the `CloudFiles` of the same cloudpath.
    """

    def __init__(self, cloudpath: StrPath | CloudFiles, **options: Unpack[CloudFilesOptions]) -> None:
        if not isinstance(cloudpath, CloudFiles):
            cloudpath = CloudFiles(cloudpath, **options)
        elif options:
            raise InvalidInputError(f"options are those of the CloudFiles, but {', '.join(options)} was given as well")
        self.cloudfiles = cloudpath._by_exact_names()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, CloudFilesHandler) and self.cloudfiles == other.cloudfiles

    def __hash__(self) -> int:
        return hash(self.cloudfiles)

    def __repr__(self) -> str:
        return repr(self.cloudfiles).replace("CloudFiles", type(self).__name__, 1)

    def get_type_name(self) -> str:
        return f"cloudfiles+{self.cloudfiles.protocol}"

    def normalize_path(self, path: str) -> str:
        return _key(path)

    # ---- information

    def get_file_info(self, paths: Iterable[str]) -> list[FileInfo]:
        """The type, size and time of modification of files, in a batch; those that are no files may be directories."""
        asked = list(paths)
        keys = list(dict.fromkeys(key for key in map(_key, asked) if key))
        heads = self.cloudfiles.head(keys)
        missing = [key for key in keys if heads[key] is None]
        directories = {"": True}
        if missing:
            with self.cloudfiles._batch("Checking", missing, None, False) as (plan, interface):
                directories.update(one_by_one(interface.isdir, missing, plan))
        found = []
        for path in asked:
            key = _key(path)
            head = heads.get(key)
            if head is not None:
                found.append(_file_info(path, head["Content-Length"], head["Last-Modified"]))
            else:
                found.append(FileInfo(path, FileType.Directory if directories[key] else FileType.NotFound))
        return found

    def get_file_info_selector(self, selector: FileSelector) -> list[FileInfo]:
        """The files and directories in a directory, from its listing."""
        directory = _key(selector.base_dir)
        prefix = directory + "/" if directory else ""
        found: dict[str, FileInfo] = {}
        exists = not directory
        for page in list_pages(self.cloudfiles._store, prefix, flat=not selector.recursive):
            exists = exists or bool(page.entries or page.prefixes)
            for entry in page.entries:
                _add_directories(found, prefix, entry.key)
                if not entry.key.endswith("/"):  # which marks a directory
                    found[entry.key] = _file_info(entry.key, entry.size, entry.last_modified)
            for name in page.prefixes:
                _add_directories(found, prefix, name)
        if not exists and not self.cloudfiles.isdir(directory):
            if self.cloudfiles.exists(directory):
                raise NotADirectoryError(directory)
            if not selector.allow_not_found:
                raise MissingObjectError("there is no such directory", path=directory)
        return list(found.values())

    # ---- directories

    def create_dir(self, path: str, recursive: bool) -> None:
        self.cloudfiles.mkdir(_key(path))

    def delete_dir(self, path: str) -> None:
        self.cloudfiles.rmdir(_key(path), recursive=True)

    def delete_dir_contents(self, path: str, missing_dir_ok: bool = False) -> None:
        directory = _key(path)
        if not directory:
            raise InvalidInputError("delete_dir_contents of the root would delete everything")
        if self.cloudfiles.isdir(directory):
            self.cloudfiles.rm(directory + "/", recursive=True)
            self.cloudfiles.mkdir(directory)
        elif not missing_dir_ok:
            raise MissingObjectError("there is no such directory", path=directory)

    def delete_root_dir_contents(self) -> None:
        self.cloudfiles.delete(self.cloudfiles.list())
        self.cloudfiles.rm([path for path in self.cloudfiles.list(flat=True) if path.endswith("/")], recursive=True)

    # ---- files

    def delete_file(self, path: str) -> None:
        self._check_file(_key(path))
        self.cloudfiles.delete(_key(path))

    def move(self, src: str, dest: str) -> None:
        self.cloudfiles.rename(_key(src), _key(dest))

    def copy_file(self, src: str, dest: str) -> None:
        self._check_file(_key(src))
        self.cloudfiles.transfer_to(self.cloudfiles, [(_key(src), _key(dest))])

    def _check_file(self, key: str) -> None:
        """Raises FileNotFoundError or IsADirectoryError, if it is no file."""
        if not self.cloudfiles.exists(key):
            if self.cloudfiles.isdir(key):
                raise IsADirectoryError(key)
            raise MissingObjectError("there is no such object", path=key)

    def open_input_file(self, path: str) -> Any:
        """The file for random access, which pyarrow uses from one thread at a time."""
        key, interface = _key(path), self.cloudfiles._store.here()
        end = interface.get(key, -TAIL_BYTES)
        if end is None:
            self._check_file(key)
            raise MissingObjectError("there is no such object", path=key)
        if not isinstance(end.content, bytes):
            raise UnsupportedOperationError("a Python object cannot be opened as a file", path=key)
        if len(end.content) < TAIL_BYTES:
            return pyarrow.BufferReader(end.content)
        version = end
        if end.size is None or end.validator is None:
            described = interface.describe(key)
            if described is None:
                raise MissingObjectError("there is no such object", path=key)
            version = described
        if version.size is None or version.validator is None:  # what several requests return could not be compared
            whole = interface.get(key)
            return pyarrow.BufferReader(b"" if whole is None else whole.content)
        tail = end.content if end.is_same_content(version) else b""
        return pyarrow.PythonFile(_RangeReader(self.cloudfiles, key, version, version.size, tail), mode="r")

    def open_input_stream(self, path: str) -> Any:
        """The file from its beginning, read ahead."""
        return pyarrow.PythonFile(self.cloudfiles.open(_key(path), "rb", raw=True), mode="r")

    def open_output_stream(self, path: str, metadata: Mapping[bytes, bytes] | None) -> Any:
        return pyarrow.PythonFile(self.cloudfiles.open(_key(path), "wb", **_put_options(metadata)), mode="w")

    def open_append_stream(self, path: str, metadata: Mapping[bytes, bytes] | None) -> Any:
        return pyarrow.PythonFile(self.cloudfiles.open(_key(path), "ab", **_put_options(metadata)), mode="w")


class _RangeReader(io.RawIOBase):
    """The bytes of one version of an object: the end is there already, the rest is read as it is asked for."""

    def __init__(self, cloudfiles: CloudFiles, key: str, version: StoredObject, size: int, tail: bytes) -> None:
        self._store = cloudfiles._store
        self._key = key
        self._version = version
        self._size = size
        self._tail = tail
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = 0, /) -> int:
        self._at = max(0, offset + (0, self._at, self._size)[whence])
        return self._at

    def read(self, size: int | None = -1, /) -> bytes:
        left = max(0, self._size - self._at)
        count = left if size is None or size < 0 else min(size, left)
        start, self._at = self._at, self._at + count
        behind = start - (self._size - len(self._tail))
        if behind >= 0 or not count:
            return self._tail[max(0, behind):max(0, behind) + count]
        return self._store.here().get_part(self._key, start, start + count, self._version)

    def readinto(self, buffer: Any, /) -> int:
        content = self.read(len(buffer))
        buffer[:len(content)] = content
        return len(content)


def _key(path: str) -> str:
    """The key of a path of pyarrow."""
    return path.strip("/")


def _file_info(path: str, size: int | None, modified: str | None) -> FileInfo:
    return FileInfo(path, FileType.File, size=size, mtime=when(modified))


def _add_directories(found: dict[str, FileInfo], prefix: str, key: str) -> None:
    """Add the directories of a key below a prefix, which have no entry of their own in a listing."""
    end = key.find("/", len(prefix))
    while end > 0:
        found.setdefault(key[:end], FileInfo(key[:end], FileType.Directory))
        end = key.find("/", end + 1)


def _put_options(metadata: Mapping[bytes, bytes] | None) -> dict[str, Any]:
    """The options of `CloudFiles.put` for the metadata that pyarrow passes on."""
    options: dict[str, Any] = {}
    others: dict[str, str] = {}
    for name, value in ((name.decode(), value.decode()) for name, value in (metadata or {}).items()):
        known = {"content-type": "content_type", "cache-control": "cache_control"}.get(name.lower())
        if known is None:
            others[name] = value
        else:
            options[known] = value
    return {**options, "metadata": others} if others else options
