"""`CloudFileSystem`: an fsspec file system over any cloudpath."""

from __future__ import annotations

import os
from typing import Any, ClassVar

from cloudfiles.cloudfiles import CloudFiles
from cloudfiles.exceptions import InvalidInputError, redact
from cloudfiles.file_objects import open_file
from cloudfiles.filesystem.contents import write_options
from cloudfiles.filesystem.copying import Copying
from cloudfiles.filesystem.errors import (
    exists_already,
    is_a_directory,
    missing,
    not_a_directory,
    not_empty,
    translated,
)
from cloudfiles.filesystem.listings import contents
from cloudfiles.filesystem.names import (
    OWN_PREFIX,
    LocalNames,
    Names,
    ProtocolNames,
    RootedNames,
    endpoint_of,
    strip_protocol,
)
from cloudfiles.filesystem.open_files import DeferredFile, ReadFile, WrittenFile, as_text, compressed
from cloudfiles.filesystem.transactions import CloudTransaction
from cloudfiles.lib import StrPath
from cloudfiles.secret_references import reference

_IGNORED_OPTIONS = ("asynchronous", "loop", "skip_instance_cache", "auto_mkdir")


class CloudFileSystem(Copying):
    """An fsspec file system rooted at a cloudpath.

    Paths are relative to the cloudpath; full cloudpaths below it work too.

    Args:
        cloudpath: the root, such as `s3://bucket/dir/` or `file:///data`.
        use_listings_cache: keep listings of directories in memory, until something is written through this file
            system, or `invalidate_cache` is called.
        listings_expiry_time: seconds for which cached listings are used; None for no limit.
        max_paths: the number of listings to cache; None for no limit.
        options: the options of `CloudFiles`.

    Raises:
        InvalidInputError: (also a ValueError) an argument is invalid.
    """

    _scheme: ClassVar[str] = ""
    """The protocol of a class whose paths contain the bucket; '' for a file system with a root."""

    protocol: str | tuple[str, ...] = "cloudfiles"
    transaction_type = CloudTransaction

    def __init__(self, cloudpath: StrPath | None = None, *, use_listings_cache: bool = False,
                 listings_expiry_time: float | None = None, max_paths: int | None = None, **options: Any) -> None:
        if getattr(self, "_cached", False):
            return
        for name in _IGNORED_OPTIONS:
            options.pop(name, None)
        options.setdefault("encoding_suffixes", False)
        self._start(self._new_names(cloudpath, options), {
            "use_listings_cache": use_listings_cache, "listings_expiry_time": listings_expiry_time,
            "max_paths": max_paths})
        if not self._scheme:
            protocol = self._place("").cf.protocol
            self.protocol = (OWN_PREFIX + protocol, protocol)
        # fsspec calls these on classes as well.
        self.__dict__.update(_strip_protocol=self._stripped, _parent=self._names.parent)

    def _new_names(self, cloudpath: StrPath | None, options: dict[str, Any]) -> Names:
        if self._scheme == "file":
            return LocalNames(options)
        if self._scheme:
            return ProtocolNames(self._scheme, options)
        if cloudpath is None:
            raise InvalidInputError("cloudpath: expected the root of the file system, such as 's3://bucket/dir/'")
        return RootedNames(cloudpath, options)

    def __repr__(self) -> str:
        root = f"{self._scheme}://" if self._scheme else self._place("").cf.cloudpath
        return f"{type(self).__name__}({redact(root)!r})"

    # ---- names

    def _stripped(self, path: Any) -> Any:
        return [self._name(one) for one in path] if isinstance(path, list) else self._name(path)

    @classmethod
    def _strip_protocol(cls, path: Any) -> Any:
        """The name of a path. An instance with a root has its own."""
        if isinstance(path, list):
            return [cls._strip_protocol(one) for one in path]
        return strip_protocol(cls._scheme, path)

    @classmethod
    def _get_kwargs_from_urls(cls, path: str) -> dict[str, Any]:
        endpoint = endpoint_of(cls._scheme, path) if cls._scheme not in ("", "file", "http", "https") else None
        return {} if endpoint is None else {"endpoint": endpoint}

    def unstrip_protocol(self, name: str) -> str:
        """The cloudpath of a name, as `fsspec.open` accepts it: `cf+s3://bucket/key`."""
        return OWN_PREFIX + self._names.cloudpath(self._name(name))

    def cloudpath(self, path: Any = "") -> str:
        """The cloudpath of a path: `s3://bucket/key`."""
        return self._names.cloudpath(self._name(path))

    @property
    def fsid(self) -> str:
        """What tells apart stores, but not the options of file systems on them."""
        return redact(f"cloudfiles:{self._names.cloudpath('')}")

    # ---- pickling

    def __reduce__(self) -> Any:
        """Pickles contain references to secrets, as those of CloudFiles."""
        options = dict(self.storage_options)
        if options.get("secrets") is not None:
            options["secrets"] = reference(options["secrets"])
        return _unpickled, (type(self), self.storage_args, options)

    # ---- files

    def open(self, path: Any, mode: str = "rb", block_size: int | None = None, cache_options: Any = None,
             compression: str | None = None, **kwargs: Any) -> Any:
        """Open a file for reading, writing or appending.

        Args:
            mode: 'rb', 'wb', 'ab', 'xb', or the same for text, without the 'b'.
            block_size: bytes to read at a time, or to send at a time; also `blocksize`. None: chosen by the file.
            delimiter: for writing, end blocks with these bytes.
            compression: compress or decompress, as `fsspec.open` does: 'gzip', 'infer', ...
            encoding, errors, newline: for text, as in the builtin `open`.
            content_type, cache_control, storage_class, metadata: for writing, as for `CloudFiles.puts`.

        What is written appears, complete, when the file is closed; nothing appears if a `with` block ends with an
        exception. In a transaction, files appear at its end.

        Raises FileNotFoundError, FileExistsError (for 'x'), IsADirectoryError, or PermissionError.
        """
        text = {name: kwargs.pop(name) for name in ("encoding", "errors", "newline") if name in kwargs}
        binary = mode if "b" in mode else mode.replace("t", "") + "b"
        block_size = kwargs.pop("blocksize", block_size)
        autocommit = kwargs.pop("autocommit", not self._intrans)
        file = self._open(self._name(path), binary, block_size, autocommit, cache_options, **kwargs)
        if compression is not None:
            file = compressed(file, self._name(path), compression, binary)
        return file if "b" in mode else as_text(file, mode, **text)

    def _open(self, path: Any, mode: str = "rb", block_size: int | None = None, autocommit: bool = True,
              cache_options: Any = None, **kwargs: Any) -> Any:
        """A binary file object. cache_type, cache_options, size: those of other file systems, which are not needed."""
        name, cf, key = self._located(path)
        for unneeded in ("cache_type", "size", "fill_cache"):
            kwargs.pop(unneeded, None)
        if not key:
            raise is_a_directory(name)
        if mode == "rb":
            return self._open_to_read(name, block_size, kwargs)
        if not autocommit:
            return self._deferred(name, mode, kwargs)
        with translated(name):
            file = open_file(cf, key, mode, blocksize=block_size, **write_options(kwargs))
        return WrittenFile(self, name, mode, file, block_size, lambda: self._changed([name]))

    def _open_to_read(self, name: str, block_size: int | None, options: dict[str, Any]) -> ReadFile:
        cf, key = self._names.locate(name)
        try:
            with translated(name):
                return ReadFile(self, name, open_file(cf, key, "rb", blocksize=block_size, raw=True, **options),
                                block_size)
        except FileNotFoundError as error:
            if cf.isdir(key):
                raise is_a_directory(name) from error
            raise

    # ---- transactions

    def _deferred(self, name: str, mode: str, options: dict[str, Any]) -> DeferredFile:
        """A file that appears at the end of the transaction."""
        write_options(options)
        if mode == "xb" and self.exists(name):
            raise exists_already(name)
        file = DeferredFile(self, name, mode, options)
        if mode == "ab" and self.isfile(name):
            file.local.write(self.cat_file(name))
        self.transaction.files.append(file)
        return file

    def _commit(self, files: list[DeferredFile]) -> None:
        """Write files of a transaction, in one batch for all that have the same options."""
        for mode in ("create", "overwrite"):
            chosen = [file for file in files if (file.mode == "xb") == (mode == "create")]
            while chosen:
                options = chosen[0].options
                self._write({file.path: file.content() for file in chosen if file.options == options}, mode, **options)
                for file in chosen:
                    if file.options == options:
                        file.discard()
                chosen = [file for file in chosen if file.options != options]

    # ---- directories

    def mkdir(self, path: Any, create_parents: bool = True, **kwargs: Any) -> None:
        """Create a directory. In object stores a directory exists while there is something in it: nothing is done.

        Raises FileExistsError if there is something at the path, on stores that have directories.
        """
        name, cf, key = self._located(path)
        if not has_directories(cf):
            return
        if not key or cf.exists(key) or cf.isdir(key):
            raise exists_already(name)
        if not create_parents and not self.isdir(self._names.parent(name)):
            raise missing(self._names.parent(name))
        self.makedirs(name)

    def makedirs(self, path: Any, exist_ok: bool = False) -> None:
        """Create a directory and those above it.

        exist_ok: False raises FileExistsError if the directory exists, on stores that have directories.
        """
        name, cf, key = self._located(path)
        if not has_directories(cf):
            return
        if not exist_ok and (not key or cf.exists(key) or cf.isdir(key)):
            raise exists_already(name)
        if key:
            with translated(name):
                os.makedirs(cf.abspath(key).removeprefix("file://"), exist_ok=True)
            self._changed([name])

    def rmdir(self, path: Any) -> None:
        """Remove an empty directory. Raises FileNotFoundError, NotADirectoryError, or OSError if it is not empty."""
        name, cf, key = self._located(path)
        if self.isfile(name):
            raise not_a_directory(name)
        if not self.isdir(name):
            raise missing(name)
        if contents(self._place(name), key)[1]:
            raise not_empty(name)
        with translated(name):
            cf._store.here().remove_empty_directory(key)
        self._changed([name])

    # ---- URLs

    def sign(self, path: Any, expiration: float = 100, **kwargs: Any) -> str:
        """A URL with which anybody can read a file for `expiration` seconds, see `CloudFiles.presign`."""
        name, cf, key = self._located(path)
        with translated(name):
            return cf.presign(key, expiration, **kwargs)

    def url(self, path: Any, expires: float = 3600, **kwargs: Any) -> str:
        """As `sign`."""
        return self.sign(path, expires, **kwargs)


def has_directories(cf: CloudFiles) -> bool:
    """Whether directories exist on their own in this store."""
    return cf.protocol == "file"


def _unpickled(cls: type[CloudFileSystem], args: tuple[Any, ...], options: dict[str, Any]) -> CloudFileSystem:
    return cls(*args, **options)

