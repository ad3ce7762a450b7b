"""`file:///directory`: objects as files of the local file system.

- A write is atomic: it creates a temporary file in the same directory and renames it. A failure or a kill at any point
  leaves the old file or the new one. A new file has the mode of the umask, one that replaces another has its
  permissions; a symlink of that name is replaced, not
  followed.
- With `encoding_suffixes` (the default here) a content encoding shows as a suffix (`.gz .br .zstd .xz .bz2`). The key
  `a` is held by `a`, else by `a.gz`, and so on; a write under one encoding removes what held the key under another,
  and `delete` removes all of them. The key `a.gz`, where such a file exists, gives its bytes as they are, without an
  encoding; listings show it as `a`. So the keys `a` and `a.gz` are not independent: writing or deleting `a` removes
  `a.gz`, and a directory that holds both cannot be listed.
- With `encoding_suffixes=False` every file is the key of its own name, and has no encoding.
- File systems keep no metadata: content type, cache control, storage class and metadata of a write are dropped;
  `head` guesses the content type from the key.
- A key that is named is read through symlinks, as the file system does, also out of the root. Listings, and what works
  through them, follow those that stay inside of the root, and others only with `follow_external_symlinks`. A dangling
  one is missing.
- A directory is not an object: it is missing for `get`, `head` and `exists`. Named pipes, sockets and devices raise
  UnsupportedOperationError, and never block.
- ETags are made of the time of modification, the size and the inode. Conditional writes are decided by the file
  system (`if_absent`, in one encoding) or under a lock of this process. Against other processes there is a window of
  some microseconds between check and replacement (`if_match`; `if_absent` against another encoding), unless both
  lock (`locking=True`).
- No permission, of a file or a directory above it, is AuthorizationError, never missing.
"""

from __future__ import annotations

import os
import stat
import sys
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from typing import TYPE_CHECKING, Any, ClassVar, cast

from cloudfiles.exceptions import CloudFilesError, DecompressionError, InvalidPathError, MissingObjectError
from cloudfiles.http_dates import http_date
from cloudfiles.interfaces.base import Interface
from cloudfiles.interfaces.capabilities import (
    AccessControl,
    Appending,
    C,
    Capability,
    Concatenation,
    Directories,
    Kind,
    Times,
)
from cloudfiles.interfaces.file.access_control import FileAccessControl
from cloudfiles.interfaces.file.appending import FileAppending
from cloudfiles.interfaces.file.concatenation import FileConcatenation
from cloudfiles.interfaces.file.copy import copy_object, rename_object
from cloudfiles.interfaces.file.directories import FileDirectories
from cloudfiles.interfaces.file.file_io import check_content, etag_of
from cloudfiles.interfaces.file.file_part_writer import FilePartWriter
from cloudfiles.interfaces.file.locks import FileLocks, clear_locks, lock_directory
from cloudfiles.interfaces.file.names import (
    BY_SUFFIX,
    EXACT,
    KeyResolver,
    ObjectPath,
    check_key,
    check_prefix,
    suffix_of,
)
from cloudfiles.interfaces.file.objects import (
    describe_file,
    files_of,
    find_object,
    read_object,
    remove_empty_directories,
    remove_object,
    touch_object,
    write_object,
)
from cloudfiles.interfaces.file.os_errors import MISSING_ERRNOS, ErrorTranslator, ambiguous
from cloudfiles.interfaces.file.temporaries import discard_temporaries, discard_temporaries_of
from cloudfiles.interfaces.file.times import FileTimes
from cloudfiles.interfaces.file.walk import Walk
from cloudfiles.interfaces.local_store import guess_type
from cloudfiles.interfaces.part_writer import InterruptedWrites, PartWriter
from cloudfiles.interfaces.server_copy import CopyOptions, CopyResult
from cloudfiles.interfaces.traits import StoreTraits
from cloudfiles.interfaces.tree_walk import WalkCache
from cloudfiles.types import Content, ListPage, StoredObject, StoreOptions, WriteOptions, head_of

if TYPE_CHECKING:
    from cloudfiles.paths import ExtractedPath
    from cloudfiles.runtime.contract import Runtime

_CAPABILITIES: Mapping[Kind[Capability], Callable[[FileInterface], Capability]] = {
    Directories: FileDirectories, AccessControl: FileAccessControl, Appending: FileAppending, Times: FileTimes,
    Concatenation: FileConcatenation}

PAGE_ENTRIES = 10_000
_MAX_DIRECTORIES = 10_000
_NOT_LOCKED = nullcontext()


class FileInterface(Interface):
    """The protocol `file://`; see the module docstring.

    Raises:
        ConfigurationError: locking was asked for and the lock directory cannot be written.
    """

    traits = StoreTraits(is_local=True, lists_in_key_order=True, delete_batch=100, keeps_attributes=False,
                         folds_suffixes=True, folds_case=sys.platform in ("darwin", "win32"), nests_names=True)

    durable: ClassVar[bool] = False
    """Writes wait until they would outlast a power failure (fsync of the file and its directory)."""

    def __init__(self, location: ExtractedPath, options: StoreOptions, runtime: Runtime) -> None:
        path = os.path.abspath(location.path or os.sep)
        self.root = path if path.endswith(os.sep) else path + os.sep
        self.url = f"file://{path}"
        self.lock_dir = lock_directory(options.lock_dir)
        locking = options.locking if options.locking is not None else bool(options.lock_dir)
        self._locks = FileLocks(self.lock_dir, runtime.sleep) if locking else None
        self._walks: WalkCache[Walk] = WalkCache()
        if options.encoding_suffixes is False:
            self.traits = self.traits._replace(folds_suffixes=False, keeps_encodings=False)
        self._variants = BY_SUFFIX if self.traits.folds_suffixes else EXACT
        self._follow_external = options.follow_external_symlinks
        self._inside: set[str] = set()  # directories that `check_target` has seen to be so

    def _path(self, key: str) -> str:
        check_key(key)
        return self.root + (key if os.sep == "/" else key.replace("/", os.sep))

    def object_path(self, key: str) -> ObjectPath:
        return ObjectPath(self._path(key), self._variants)

    def locked(self, path: str, exclusive: bool) -> AbstractContextManager[None]:
        return _NOT_LOCKED if self._locks is None else self._locks.held(path, exclusive)

    # ---- one object

    def get(self, key: str, start: int | None = None, end: int | None = None) -> StoredObject | None:
        path = self._path(key)
        with ErrorTranslator(self.url, key), self.locked(path, exclusive=False):
            return read_object(path, self._variants, start, end)

    def put(self, key: str, content: Content, options: WriteOptions) -> str | None:
        path = self._path(key)
        target = path + suffix_of(options.encoding, self._variants)
        check_content(content)
        with ErrorTranslator(self.url, key, target), self.locked(path, exclusive=True):
            return write_object(path, self._variants, content, options, self.durable)

    def head(self, key: str) -> dict[str, Any] | None:
        found = self._find(key)
        if found is None:
            return None
        status, encoding = found
        return head_of(Content_Length=status.st_size, Content_Type=guess_type(key), ETag=etag_of(status),
                       Last_Modified=http_date(int(status.st_mtime)), Content_Encoding=encoding or None)

    def exists(self, key: str) -> bool:
        return self._find(key) is not None

    def size(self, key: str) -> int | None:
        found = self._find(key)
        return None if found is None else found[0].st_size

    def get_acl(self, key: str) -> int | None:
        """The mode of the file, as in `os.stat`."""
        found = self._find(key)
        return None if found is None else found[0].st_mode

    def _find(self, key: str) -> tuple[os.stat_result, str] | None:
        path = self._path(key)
        with ErrorTranslator(self.url, key):
            return find_object(path, self._variants)

    def touch(self, key: str) -> None:
        """Create an empty object, or update the modification time, and thus the ETag, of an existing one."""
        path = self._path(key)
        with ErrorTranslator(self.url, key, path), self.locked(path, exclusive=True):
            touch_object(path, self._variants, self.durable)

    def delete(self, keys: Sequence[str]) -> Mapping[str, CloudFilesError]:
        """Directories stay, also when they become empty. All keys are checked before the first is removed."""
        paths = {key: self._path(key) for key in keys}
        errors = {}
        for key, path in paths.items():
            try:
                with ErrorTranslator(self.url, key), self.locked(path, exclusive=True):
                    remove_object(path, self._variants)
            except CloudFilesError as error:
                errors[key] = error
        return errors

    # ---- many objects

    def list_page(self, prefix: str = "", *, flat: bool = False, start_after: str | None = None,
                  token: str | None = None, limit: int | None = None) -> ListPage:
        """See Interface. Flat listings have empty directories as common prefixes, too.

        `token` is the last key (or common prefix) of the previous page, and so can be used in another process.
        """
        with ErrorTranslator(self.url, prefix):
            if not check_prefix(prefix):
                return ListPage([], [])
            after = token if token is not None else start_after
            walk = self._walks.take((prefix, flat, token)) or Walk(
                self.root, self._variants, prefix, flat, after, self._follow_external)
            page = walk.page(max(1, limit or PAGE_ENTRIES))
            if page.next_token is not None:
                self._walks.keep((prefix, flat, page.next_token), walk)
            return page

    def isdir(self, key: str) -> bool:
        """Whether there is a directory of this name, be it empty."""
        path = self._path(key.rstrip("/")) if key else self.root
        with ErrorTranslator(self.url, key):
            return stat.S_ISDIR(_mode(path))

    def root_exists(self) -> bool:
        return self.isdir("")

    def remove_empty_directory(self, key: str, keep: Collection[str] = ()) -> None:
        path = self._path(key)
        with ErrorTranslator(self.url, key, path):
            remove_empty_directories(path, {self._path(name) for name in keep})

    def is_below_symlink(self, key: str, above: str = "") -> bool:
        path, end = self._path(key), len(self.root) + len(above)
        while (end := path.find(os.sep, end + 1)) > 0:
            if os.path.islink(path[:end]):
                return True
        return False

    @contextmanager
    def existing(self, path: str) -> Iterator[str]:
        """The local path of a directory, or of an object's file; OSErrors in the block are translated. Raises
        MissingObjectError."""
        local = self._path(path) if path else self.root
        with ErrorTranslator(self.url, path, local):
            if not path or stat.S_ISDIR(_mode(local)):
                yield local
                return
            found = find_object(local, self._variants)
            if found is None:
                raise MissingObjectError("there is no such file or directory")
            yield local + suffix_of(found[1], self._variants)

    def capability(self, kind: Kind[C]) -> C | None:
        operations = _CAPABILITIES.get(kind)
        return None if operations is None else cast("C", operations(self))

    # ---- copying

    def describe(self, key: str) -> StoredObject | None:
        found = self._find(key)
        return None if found is None else describe_file(*found)

    def get_bounded(self, key: str, max_size: int) -> StoredObject | None:
        path = self._path(key)
        with ErrorTranslator(self.url, key), self.locked(path, exclusive=False):
            return read_object(path, self._variants, None, None, max_size)

    def write_options(self, stored: StoredObject) -> WriteOptions:
        return WriteOptions(encoding=stored.encoding)  # files have no attributes

    def can_copy_from(self, source: Interface) -> bool:
        return isinstance(source, FileInterface)

    def copy_from(self, source: Interface, source_key: str, key: str, options: CopyOptions) -> CopyResult | None:
        """Inside the kernel, or by sharing the blocks, as the file systems allow."""
        assert isinstance(source, FileInterface)
        origin, target = source.object_path(source_key), self.object_path(key)
        with ErrorTranslator(self.url, key, target.path), self.locked(target.path, exclusive=True):
            with source.locked(origin.path, exclusive=False):
                return copy_object(origin, target, options, self.durable)

    def rename_from(self, source: Interface, source_key: str, key: str) -> bool:
        if not isinstance(source, FileInterface):
            return False
        origin, target = source.object_path(source_key), self.object_path(key)
        with ErrorTranslator(self.url, key, target.path), self.locked(target.path, exclusive=True):
            return rename_object(origin, target, self.durable)

    def is_same(self, source: Interface, source_key: str, key: str) -> bool:
        return isinstance(source, FileInterface) and (
            os.path.realpath(source._path(source_key)) == os.path.realpath(self._path(key)))

    def open_writer(self, key: str, size: int, options: WriteOptions,
                    state: Mapping[str, Any] | None = None) -> PartWriter | None:
        target = self.object_path(key)
        errors = ErrorTranslator(self.url, key, target.path + suffix_of(options.encoding, self._variants))
        with errors:
            return FilePartWriter(target, size, options, state, self.durable, errors)

    def discard_partial(self, prefix: str, older_than: float) -> int:
        with ErrorTranslator(self.url, prefix):
            check_prefix(prefix)
            return discard_temporaries(self.root + prefix.rpartition("/")[0], time.time() - older_than)

    def discard_interrupted(self, interrupted: InterruptedWrites) -> int:
        directories = set()
        for key in interrupted.keys:
            with suppress(InvalidPathError):  # nothing was ever written there
                directories.add(os.path.dirname(self._path(key)))
        kept = {str(state.get("temporary")) for state in interrupted.kept}
        with ErrorTranslator(self.url, ""):
            return discard_temporaries_of(interrupted.processes, directories, kept)

    def check_unambiguous(self, key: str) -> None:
        files = files_of(self._path(key), self._variants) if self.traits.folds_suffixes else []
        if len(files) > 1:
            raise ambiguous(key, self.url, *map(os.path.basename, files[:2]))

    def explain_decompression_error(self, key: str, encoding: str, error: DecompressionError) -> DecompressionError:
        if self.traits.folds_suffixes and not error.is_too_large:
            file = key + suffix_of(encoding, self._variants)
            error.args = (f"the file {file!r} cannot be decoded as {encoding}, the encoding that its suffix denotes: "
                          f"{error.args[0]}. Use encoding_suffixes=False to access every file as it is, under its own "
                          "name",)
            error.store = self.url
        return error

    def check_target(self, key: str) -> None:
        """Symlinks to directories elsewhere are not followed to write: a transfer stays inside its root."""
        above = key.rpartition("/")[0]
        if above not in self._inside and not self._follow_external:
            directory = os.path.dirname(self._path(key))
            root, real = os.path.realpath(self.root), os.path.realpath(directory)
            if os.path.commonpath((root, real)) != root:
                raise InvalidPathError(f"a symlink at {directory} leads out of the target directory, to {real}; "
                                       "nothing was written (follow_external_symlinks=True allows it)",
                                       path=key, store=self.url)
            if len(self._inside) >= _MAX_DIRECTORIES:
                self._inside.clear()
            self._inside.add(above)

    def key_resolver(self, *, follow: bool = False) -> KeyResolver:
        return KeyResolver(self.root, follow)

    def clear_locks(self) -> int:
        """Remove unused lock files from `lock_dir`; returns their number."""
        return clear_locks(self.lock_dir)

    def close(self) -> None:
        self._walks.clear()


def _mode(path: str) -> int:
    """The mode of the file at `path`; 0 if there is none."""
    try:
        return os.stat(path).st_mode
    except OSError as error:
        if error.errno in MISSING_ERRNOS:
            return 0
        raise
