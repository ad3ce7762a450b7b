"""`webhdfs://` and `swebhdfs://`: files in Hadoop's HDFS, over HTTP or HTTPS.

- A write is atomic: it creates a temporary file in the same directory and renames it. The size that was stored is
  compared, from a mebibyte on also the checksum. HttpFS cannot replace a file by renaming: there, the old one is
  removed just before, and is missing for a moment.
- Files have no content type, content encoding or metadata: a content type and cache control are dropped, an encoding
  or metadata raise UnsupportedOperationError.
- ETags are made of the number of the inode, the time of modification and the size. Conditions `if_absent` are decided
  by the server; between the check of `if_match` and the rename there is a window of a request.
- Directories are not objects: `delete` never removes one, and flat listings show empty ones.
- Reads are checked for their length. DataNodes verify the CRCs of the blocks that they send, and responses contain no
  digest.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, ClassVar, cast

from cloudfiles.credentials.hadoop import HadoopProvider
from cloudfiles.exceptions import (
    CloudFilesError,
    InvalidPathError,
    PreconditionFailedError,
    ServerError,
    UnsupportedOperationError,
)
from cloudfiles.interfaces.acl import Access
from cloudfiles.interfaces.base import Interface, object_changed
from cloudfiles.interfaces.capabilities import (
    AccessControl,
    Appending,
    C,
    Capability,
    Concatenation,
    Directories,
    Expiry,
    Kind,
    Times,
)
from cloudfiles.interfaces.file.temporaries import is_temporary, mark_of
from cloudfiles.interfaces.local_store import guess_type
from cloudfiles.interfaces.part_writer import InterruptedWrites
from cloudfiles.interfaces.sized_body import body_of
from cloudfiles.interfaces.traits import StoreTraits
from cloudfiles.interfaces.tree_walk import WalkCache
from cloudfiles.interfaces.webhdfs.access_control import HdfsAccessControl
from cloudfiles.interfaces.webhdfs.appending import HdfsAppending, HdfsTimes
from cloudfiles.interfaces.webhdfs.concatenation import HdfsConcatenation
from cloudfiles.interfaces.webhdfs.directories import HdfsDirectories
from cloudfiles.interfaces.webhdfs.endpoint import HADOOP, Cluster, Dialect, find_cluster
from cloudfiles.interfaces.webhdfs.listing import Walk, children
from cloudfiles.interfaces.webhdfs.names import check_prefix
from cloudfiles.interfaces.webhdfs.objects import FileStatus, Namespace, TemporaryFile, read
from cloudfiles.interfaces.webhdfs.protocol import UserProvider, WebHdfsProtocol
from cloudfiles.interfaces.webhdfs.renaming import rename
from cloudfiles.paths import ExtractedPath
from cloudfiles.runtime.contract import Runtime
from cloudfiles.transport.client import Client, client_for
from cloudfiles.transport.request import Origin
from cloudfiles.types import Content, ListPage, StoredObject, StoreOptions, WriteOptions, head_of

PAGE_ENTRIES = 1000

_TRIES = 4
"""How often a read starts over if the file is replaced during it."""


class WebHdfsInterface(Interface):
    """The files below one directory of a cluster; see the module docstring.

    The cloudpath names the NameNodes (`webhdfs://nn1:9870,nn2:9870/path`), or a gateway; `endpoint=` is the URL of a
    gateway with another path than `/webhdfs/v1`.
    """

    traits = StoreTraits(lists_in_key_order=True, lists_directories=True, keeps_attributes=False, keeps_metadata=False,
                         keeps_encodings=False, nests_names=True, delete_batch=1)

    dialect: ClassVar[Dialect] = HADOOP

    def __init__(self, location: ExtractedPath, options: StoreOptions, runtime: Runtime, *,
                 client: Client | None = None) -> None:
        self._client = client or client_for(runtime, options)
        self._cluster = self._find_cluster(location, options)
        self._provider = self._find_credentials(options, runtime)
        path = (location.path or "").strip("/")
        if path:
            check_prefix(path, location.protocol)
        self._files = Namespace(self._client, runtime, WebHdfsProtocol(self._cluster, self._provider), self.dialect,
                                location.protocol, f"/{path}/" if path else "/")
        self._walks: WalkCache[Walk] = WalkCache()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._cluster}{self._files.root})"

    # ---- what a dialect may have otherwise

    def _find_cluster(self, location: ExtractedPath, options: StoreOptions) -> Cluster:
        return find_cluster(location, options.endpoint)

    def _find_credentials(self, options: StoreOptions, runtime: Runtime) -> UserProvider:
        return HadoopProvider([origin.authority for origin in self._cluster.origins], options.secrets,
                              userinfo=self._cluster.userinfo, anonymous=options.no_sign_request,
                              clock=self._client.clock.wall, sleep=runtime.sleep, run_in_thread=runtime.run_in_thread)

    # ---- the server

    @property
    def origin(self) -> Origin | None:
        return self._cluster.origin

    def explain_credentials(self) -> Sequence[tuple[str, str]]:
        return self._provider.explain()

    # ---- one object

    def get(self, key: str, start: int | None = None, end: int | None = None) -> StoredObject | None:
        found = self._read(key, start, end, pin=False)
        return None if found is None else StoredObject(found[1])

    def _read(self, key: str, start: int | None, end: int | None, *, pin: bool) -> tuple[FileStatus, bytes] | None:
        """The version of a file, and the bytes `[start:end]`; None if it is missing."""
        for _ in range(_TRIES):
            version = self._files.file_status(key)
            if version is None:
                return None
            first, last, _ = slice(start, end).indices(version.size)
            if first >= last:
                return version, b""
            content = read(self._files, key, first, last, version.etag, pin=pin)
            if content is not None:
                return version, content
        raise object_changed(key)

    def put(self, key: str, content: Content, options: WriteOptions) -> str | None:
        _check_options(options, key, self._files.name)
        with body_of(content) as body:
            temporary = TemporaryFile(self._files, key)
            try:
                written = temporary.write(body)
                temporary.publish(written, options)
            except BaseException as error:
                temporary.discard()
                raise self._explained(error, key) from None
        return written.etag

    def _explained(self, error: BaseException, key: str) -> BaseException:
        """The error of a write, with the reason where another file or directory is in its way."""
        if isinstance(error, ServerError) and "must both be directories" in str(error):
            return self._is_directory(key)
        return error

    def _is_directory(self, key: str) -> InvalidPathError:
        return InvalidPathError(f"a directory has this name; {self._files.name}:// cannot store an object of the same "
                                "name", path=key)

    def head(self, key: str) -> dict[str, Any] | None:
        found = self._files.file_status(key)
        return None if found is None else head_of(Content_Length=found.size, Content_Type=guess_type(key),
                                                  ETag=found.etag, Last_Modified=found.last_modified)

    def exists(self, key: str) -> bool:
        return self._files.file_status(key) is not None

    def size(self, key: str) -> int | None:
        found = self._files.file_status(key)
        return None if found is None else found.size

    def touch(self, key: str) -> None:
        if not self.exists(key):
            with suppress(PreconditionFailedError):
                self.put(key, b"", WriteOptions(if_absent=True))

    def delete(self, keys: Sequence[str]) -> Mapping[str, CloudFilesError]:
        """See the contract. Directories stay, also when they become empty."""
        paths = {key: self._files.path(key) for key in keys}
        errors = {}
        for key, path in paths.items():
            try:
                if self.exists(key):
                    self._files.remove(path, key)
            except CloudFilesError as error:
                errors[key] = error
        return errors

    def get_acl(self, key: str) -> Access | None:
        """Owner, permissions and ACL."""
        return None if self._files.file_status(key) is None else HdfsAccessControl(self._files).get_acl_status(key)

    # ---- many objects

    def list_page(self, prefix: str = "", *, flat: bool = False, start_after: str | None = None,
                  token: str | None = None, limit: int | None = None) -> ListPage:
        """See the contract. Directories are read several at once. Flat listings have empty directories as common
        prefixes, too. `token` is the last key (or common prefix) of the page before."""
        if not check_prefix(prefix, self._files.name):
            return ListPage([], [])
        walk = self._walks.take((prefix, flat, token)) or Walk(
            self._files, prefix, flat, token if token is not None else start_after, self._client.clock.monotonic)
        page = walk.page(max(1, min(limit or PAGE_ENTRIES, PAGE_ENTRIES)))
        if page.next_token is not None:
            self._walks.keep((prefix, flat, page.next_token), walk)
        return page

    def isdir(self, key: str) -> bool:
        """Whether there is a directory of this name, even if it is empty."""
        found = self._files.status(self._files.path(key.rstrip("/")), key)
        return found is not None and found.is_directory

    def root_exists(self) -> bool:
        return self.isdir("")

    def remove_empty_directory(self, key: str, keep: Collection[str] = ()) -> None:
        path = self._files.path(key.rstrip("/"))
        with suppress(_NotEmptyError):
            self._remove_empty(path)

    def _remove_empty(self, path: str) -> None:
        for child in children(self._files, path) or ():
            if not child.is_directory:
                raise _NotEmptyError
            self._remove_empty(f"{path.rstrip('/')}/{child.name}")
        if path != "/":
            try:
                self._files.remove(path, None)
            except ServerError as error:
                if error.code == "PathIsNotEmptyDirectoryException":  # a file was created in it just now
                    raise _NotEmptyError from error
                raise

    # ---- beyond objects

    def capability(self, kind: Kind[C]) -> C | None:
        operations = _CAPABILITIES.get(kind)
        return None if operations is None else cast("C", operations(self._files))

    def reason_without(self, kind: Kind[Capability]) -> str:
        return "HDFS deletes nothing by itself" if kind is Expiry else ""

    # ---- copying

    def describe(self, key: str) -> StoredObject | None:
        found = self._files.file_status(key)
        return None if found is None else _described(found)

    def get_bounded(self, key: str, max_size: int) -> StoredObject | None:
        described = self.describe(key)
        if described is None or (described.size or 0) > max_size:
            return described
        found = self._read(key, None, None, pin=True)
        if found is None:
            return None
        stored = _described(found[0])
        stored.content = found[1]
        return stored

    def get_part(self, key: str, start: int, end: int, described: StoredObject) -> bytes:
        content = None if described.etag is None else read(self._files, key, start, end, described.etag, pin=True)
        if content is None or len(content) != end - start:
            raise object_changed(key)
        return content

    def rename_from(self, source: Interface, source_key: str, key: str) -> bool:
        if not isinstance(source, WebHdfsInterface) or source._cluster != self._cluster:
            return False
        found = source._files.file_status(source_key)
        if found is None:
            return False
        path, target = source._files.path(source_key), self._files.path(key)
        present = self._files.status(target, key)
        if present is not None and present.is_directory:
            raise self._is_directory(key)
        self._files.make_directory(target.rpartition("/")[0] or "/", key)
        try:
            rename(self._files, path, target, key, found, overwrite=True)
        except CloudFilesError as error:
            raise self._explained(error, key) from None
        return True

    def is_same(self, source: Interface, source_key: str, key: str) -> bool:
        return isinstance(source, WebHdfsInterface) and source._cluster == self._cluster and (
            source._files.path(source_key) == self._files.path(key))

    # ---- what interrupted writes leave behind

    def discard_partial(self, prefix: str, older_than: float) -> int:
        before = (self._client.clock.wall() - older_than) * 1000
        return sum(status.modified < before and self._files.remove(path, None)
                   for path, status in self._temporaries(self._files.path(prefix.rpartition("/")[0])))

    def _temporaries(self, directory: str) -> Iterator[tuple[str, FileStatus]]:
        for child in children(self._files, directory) or ():
            path = f"{directory.rstrip('/')}/{child.name}"
            if child.is_directory:
                yield from self._temporaries(path)
            elif is_temporary(child.name):
                yield path, child

    def discard_interrupted(self, interrupted: InterruptedWrites) -> int:
        directories = set()
        for key in interrupted.keys:
            with suppress(InvalidPathError):  # nothing was ever written there
                directories.add(self._files.path(key).rpartition("/")[0])
        return sum(self._files.remove(f"{directory}/{child.name}", None) for directory in directories
                   for child in children(self._files, directory or "/") or ()
                   if mark_of(child.name) in interrupted.processes)

    def check_target(self, key: str) -> None:
        self._files.path(key)

    def close(self) -> None:
        self._walks.clear()


_CAPABILITIES: Mapping[Kind[Capability], Callable[[Namespace], Capability]] = {
    Directories: HdfsDirectories, AccessControl: HdfsAccessControl, Appending: HdfsAppending, Times: HdfsTimes,
    Concatenation: HdfsConcatenation}


class _NotEmptyError(Exception):
    """A directory contains files. Never leaves the interface."""


def _described(status: FileStatus) -> StoredObject:
    return StoredObject(None, "", "", status.etag, status.size, {"last-modified": status.last_modified})


def _check_options(options: WriteOptions, key: str, protocol: str) -> None:
    if options.encoding:
        raise UnsupportedOperationError(
            f"{protocol}:// does not keep content encodings, so a later read would not decode {options.encoding!r}; "
            "write the content without compress=, or compress it before it is put", path=key)
    if options.metadata or options.storage_class:
        raise UnsupportedOperationError(f"{protocol}:// does not support metadata or storage classes", path=key)
