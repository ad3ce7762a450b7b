"""`CloudFileSystem`: an fsspec file system over any cloudpath."""

from __future__ import annotations

import os
import shutil
from typing import Any, ClassVar

from cloudfiles.exceptions import InvalidInputError, redact
from cloudfiles.file_objects.text import as_text
from cloudfiles.filesystem.contents import write_options
from cloudfiles.filesystem.data_lake import DataLakeMethods
from cloudfiles.filesystem.errors import (
    exists_already,
    is_a_directory,
    translated,
    unsupported,
)
from cloudfiles.filesystem.names import (
    OWN_PREFIX,
    LocalNames,
    Names,
    ProtocolNames,
    RootedNames,
    endpoint_of,
    strip_protocol,
)
from cloudfiles.filesystem.open_files import DeferredFile, ReadFile, WrittenFile, compressed
from cloudfiles.filesystem.storage_options import store_options
from cloudfiles.filesystem.transactions import CloudTransaction
from cloudfiles.lib import StrPath
from cloudfiles.paths import absolute, extract
from cloudfiles.secret_references import (
    SecretReference,
    is_literal,
    lacks_secret,
    path_reference,
    reference,
    resolve,
    resolve_path,
)


class _WorkingDirectory:
    """An attribute of a class: fsspec may return an instance again only where relative paths mean the same."""

    def __get__(self, instance: object, owner: type) -> str | None:
        try:
            return os.getcwd()
        except OSError:  # it was removed
            return None


class CloudFileSystem(DataLakeMethods):
    """An fsspec file system rooted at a cloudpath.

    Paths are relative to the cloudpath; full cloudpaths below it work too.

    Args:
        cloudpath: the root, such as `s3://bucket/dir/` or `file:///data`.
        use_listings_cache: keep listings of directories in memory, until something is written through this file
            system, or `invalidate_cache` is called.
        listings_expiry_time: seconds for which cached listings are used; None for no limit.
        max_paths: the number of listings to cache; None for no limit.
        options: the options of `CloudFiles`; those of s3fs, gcsfs and adlfs with the same meaning are understood, such
            as `anon`, `key`, `secret`, `endpoint_url` and `account_name`.

    Raises:
        InvalidInputError: (also a ValueError) an argument is invalid.
    """

    _scheme: ClassVar[str] = ""
    """The protocol of a class whose paths contain the bucket; '' for a file system with a root."""

    protocol: str | tuple[str, ...] = "cloudfiles"
    _extra_tokenize_attributes = ("_working_directory",)
    _working_directory = _WorkingDirectory()
    transaction_type = CloudTransaction

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if "_scheme" in vars(cls):
            cls.protocol = (OWN_PREFIX + cls._scheme, cls._scheme)

    def __init__(self, cloudpath: StrPath | None = None, *, use_listings_cache: bool = False,
                 listings_expiry_time: float | None = None, max_paths: int | None = None, **options: Any) -> None:
        if getattr(self, "_cached", False):
            return
        self._cache_options = {"use_listings_cache": use_listings_cache, "listings_expiry_time": listings_expiry_time,
                               "max_paths": max_paths}
        self._start(self._new_names(cloudpath, options), self._cache_options)
        if not self._scheme:
            protocol = self._place("").cf.protocol
            self.protocol = (OWN_PREFIX + protocol, protocol)
        # fsspec calls these on classes as well.
        self.__dict__.update(_strip_protocol=self._stripped, _parent=self._names.parent)

    def _new_names(self, cloudpath: StrPath | None, options: dict[str, Any]) -> Names:
        if not self._scheme and cloudpath is None:
            raise InvalidInputError("cloudpath: expected the root of the file system, such as 's3://bucket/dir/'")
        protocol = self._scheme or extract(absolute(cloudpath or "")).protocol
        options = store_options(protocol, options)
        if options.setdefault("encoding_suffixes", False):
            raise InvalidInputError("encoding_suffixes: a file system shows files under their own names, with their "
                                    "own bytes")
        if self._scheme == "file":
            return LocalNames(options)
        return ProtocolNames(protocol, options) if self._scheme else RootedNames(cloudpath, options)

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
        """Identifies the store: file systems on it have the same one, whatever their other options."""
        endpoint = self._names.options.get("endpoint")
        return redact(f"cloudfiles:{self._names.cloudpath('')}" + (f"@{endpoint}" if endpoint else ""))

    # ---- pickling

    def _root(self) -> Any:
        """The root as it was given; a local one absolute, because another process has another working directory."""
        given = self.storage_args[0] if self.storage_args else self.storage_options.get("cloudpath")
        if given is None or self._scheme:
            return given
        cf = self._place("").cf
        return cf.cloudpath if cf.protocol == "file" else given

    def __reduce__(self) -> Any:
        """Pickles contain references to secrets, as those of CloudFiles."""
        options, secrets = dict(self.storage_options), self._names.options.get("secrets")
        options.pop("cloudpath", None)
        root = self._root()
        if is_literal(secrets) and secrets != options.get("secrets"):  # they are in options of other names
            options = {**self._cache_options, **self._names.options}
        if secrets is not None:
            options["secrets"] = reference(secrets)
        return _unpickled, (type(self), path_reference(str(root)) or root, options)

    def to_dict(self, *, include_password: bool = True) -> dict[str, Any]:
        """A dict from which `from_dict` creates an equal file system; `to_json` uses it as well.

        Raises UnsupportedOperationError if the options or the cloudpath contain secrets, which would be in the dict.
        """
        root = self._root()
        if is_literal(self._names.options.get("secrets")) or path_reference(str(root or "")) is not None:
            raise unsupported(self._scheme or "cloudfiles", "to_dict, to_json", "the options contain secrets; pass "
                              "secrets='/path/of/file.json'")
        found: dict[str, Any] = super().to_dict(include_password=include_password)
        if self.storage_args:
            found["args"] = (root, *self.storage_args[1:])
        elif root is not None:
            found["cloudpath"] = root
        return found

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
        if isinstance(cache_options, bytes):  # azure-datalake-store has `delimiter` in this place
            cache_options, kwargs["delimiter"] = None, cache_options
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
        delimiter = kwargs.pop("delimiter", None)
        self._check_version(kwargs)
        if not key:
            raise is_a_directory(name)
        if mode == "rb":
            return self._open_to_read(name, block_size, kwargs)
        if not autocommit:
            return self._deferred(name, mode, kwargs)
        with translated(name):
            file = cf.open(key, mode, blocksize=block_size, delimiter=delimiter, **write_options(kwargs))
        return WrittenFile(self, name, mode, file, block_size, lambda: self._changed([name]))

    def _open_to_read(self, name: str, block_size: int | None, options: dict[str, Any]) -> ReadFile:
        cf, key = self._names.locate(name)
        try:
            with translated(name):
                return ReadFile(self, name, cf.open(key, "rb", blocksize=block_size, raw=True, **options), block_size)
        except FileNotFoundError as error:
            if cf.isdir(key):
                raise is_a_directory(name) from error
            raise

    # ---- transactions

    def _deferred(self, name: str, mode: str, options: dict[str, Any]) -> DeferredFile:
        """A file that appears at the end of the transaction."""
        write_options(options)
        earlier = [file for file in self.transaction.files if file.path == name]
        if mode == "xb" and (earlier or self.exists(name)):
            raise exists_already(name)
        position = 0
        if mode == "ab" and earlier:
            position = earlier[-1].tell()
        elif mode == "ab":
            cf, key = self._names.locate(name)
            with translated(name):
                position = cf.size(key) or 0
        file = DeferredFile(self, name, mode, options, position)
        self.transaction.files.append(file)
        return file

    def _defer(self, name: str, mode: str, options: dict[str, Any], content: Any) -> None:
        file = self._deferred(name, mode, options)
        if hasattr(content, "read"):
            shutil.copyfileobj(content, file.local)
        else:
            file.local.write(content.encode() if isinstance(content, str) else content)
        file.close()

    def _commit(self, files: list[DeferredFile]) -> None:
        """Write files of a transaction: in one batch for all that have the same options; those that are appended to
        existing ones, one after the other."""
        final = _final(files)
        for mode in ("create", "overwrite"):
            chosen = [file for file in final if file.mode == ("xb" if mode == "create" else "wb")]
            while chosen:
                options = chosen[0].options
                self._write({file.path: file.content() for file in chosen if file.options == options}, mode, **options)
                for file in chosen:
                    if file.options == options:
                        file.discard()
                chosen = [file for file in chosen if file.options != options]
        for file in final:
            if file.mode == "ab":
                with self.open(file.path, "ab", autocommit=True, **file.options) as target:
                    shutil.copyfileobj(file.rewound(), target)

    # ---- URLs

    def sign(self, path: Any, expiration: float = 100, **kwargs: Any) -> str:
        """A URL with which anybody can read a file for `expiration` seconds, see `CloudFiles.presign`."""
        name, cf, key = self._located(path)
        with translated(name):
            return cf.presign(key, expiration, **kwargs)

    def url(self, path: Any, expires: float = 3600, **kwargs: Any) -> str:
        """As `sign`."""
        return self.sign(path, expires, **kwargs)


def _final(files: list[DeferredFile]) -> list[DeferredFile]:
    """One file for each path: what is appended is part of the file before it, and the last one replaces the others."""
    final: dict[str, DeferredFile] = {}
    for file in files:
        earlier = final.get(file.path)
        if earlier is None:
            final[file.path] = file
        elif file.mode == "ab":
            earlier.take_over(file)
        else:
            file.mode = "xb" if earlier.mode == "xb" else file.mode  # it still has to be new
            final[file.path] = file
    return list(final.values())


def _unpickled(cls: type[CloudFileSystem], root: Any, options: dict[str, Any]) -> CloudFileSystem:
    if isinstance(root, SecretReference):
        root = resolve_path(root)
        if root is None:
            raise lacks_secret()
    if isinstance(options.get("secrets"), SecretReference):
        options = {**options, "secrets": resolve(options["secrets"])}
    return cls(**options) if root is None else cls(root, **options)
