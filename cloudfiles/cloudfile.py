"""`CloudFile`: one object."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cloudfiles.addresses import split_object
from cloudfiles.byteranges import from_slice
from cloudfiles.cloudfiles import CloudFiles
from cloudfiles.exceptions import CloudFilesError, InvalidInputError, redact


class CloudFile:
    """One object of a store, given by its full cloudpath.

    This is not a file object: it has no position. Use slices (`f[10:20]`) and `len(f)`.

    Args:
        path: the full cloudpath.
        cache_meta: request head and size once and cache them.
        Others: as for `CloudFiles`.
    """

    def __init__(self, path: str, cache_meta: bool = False, secrets: Any = None,
                 composite_upload_threshold: int = int(1e8), locking: bool | None = None,
                 lock_dir: str | None = None, endpoint: str | None = None, no_sign_request: bool = False,
                 request_payer: str | None = None, use_https: bool = False, **options: Any) -> None:
        directory, self.filename = split_object(path)
        if not self.filename:
            raise InvalidInputError(f"expected the path of an object, got one that ends with a separator: {path!r}")
        self.cf = CloudFiles(
            directory, secrets=secrets, composite_upload_threshold=composite_upload_threshold, locking=locking,
            lock_dir=lock_dir, endpoint=endpoint, no_sign_request=no_sign_request, request_payer=request_payer,
            use_https=use_https, **options)
        self.cache_meta = cache_meta
        self._head: dict[str, Any] | None = None
        self._size: int | None = None

    def __repr__(self) -> str:
        return redact(f"CloudFile({self.cf.abspath(self.filename)!r})")

    @property
    def protocol(self) -> str:
        return self.cf.protocol

    @property
    def sep(self) -> str:
        return self.cf.sep

    @property
    def lock_dir(self) -> str | None:
        return self.cf.lock_dir

    def clear_locks(self) -> None:
        self.cf.clear_locks()

    # ---- reading

    def get(self, ranges: Any = None, raw: bool = False) -> Any:
        """The content, or None if the object is missing.

        ranges: a slice, `(start, end)` or `{'start', 'end'}` gives that range of the stored bytes; a list of ranges
            gives a list of results as `CloudFiles.get` does.
        """
        if ranges is None:
            return self.cf.get(self.filename, raw=raw)
        if isinstance(ranges, slice | Mapping) or _is_pair(ranges):
            return self.cf.get(self._wanted(ranges), raw=raw)
        return self.cf.get([self._wanted(one) for one in ranges], raw=raw)

    def _wanted(self, one: Any) -> dict[str, Any]:
        if isinstance(one, slice):
            one = from_slice(one)
        if isinstance(one, Mapping):
            return {**one, "path": self.filename}
        if not _is_pair(one):
            raise InvalidInputError(f"expected a byte range (a slice, (start, end) or {{'start', 'end'}}), got "
                                    f"{type(one).__name__}: {one!r}")
        return {"path": self.filename, "start": one[0], "end": one[1]}

    def get_json(self) -> Any:
        """The content parsed as JSON, or None if the object is missing."""
        return self.cf.get_json(self.filename)

    def __getitem__(self, key: slice) -> bytes | None:
        if not isinstance(key, slice):
            raise InvalidInputError(f"expected a slice, as in f[start:end], got {type(key).__name__}: {key!r}")
        if key == slice(None):
            whole: bytes | None = self.get()
            return whole
        part: bytes | None = self.get(key)
        return part

    def head(self) -> dict[str, Any] | None:
        """See `CloudFiles.head`."""
        if self._head is None or not self.cache_meta:
            self._head = self.cf.head(self.filename)
        return self._head

    def get_acl(self) -> dict[str, Any]:
        """See `CloudFiles.get_acl`."""
        return self.cf.get_acl(self.filename)

    def size(self) -> int | None:
        """Size in stored bytes, or None if the object is missing."""
        if self._size is None or not self.cache_meta:
            self._size = self.cf.size(self.filename)
        return self._size

    def __len__(self) -> int:
        size = self.size()
        if size is None:
            raise CloudFilesError("the object does not exist, so it has no length", path=self.filename,
                                  store=self.cf.cloudpath)
        return size

    def __bool__(self) -> bool:
        return True  # and not whether it is empty, which would cost a request

    def exists(self) -> bool:
        found: bool = self.cf.exists(self.filename)
        return found

    # ---- writing

    def put(self, content: Any, *args: Any, **options: Any) -> Any:
        """See `CloudFiles.put`."""
        self._forget()
        return self.cf.put(self.filename, content, *args, **options)

    def put_json(self, content: Any, *args: Any, **options: Any) -> Any:
        """See `CloudFiles.put_json`."""
        self._forget()
        return self.cf.put_json(self.filename, content, *args, **options)

    def touch(self) -> None:
        self._forget()
        self.cf.touch(self.filename)

    def delete(self) -> int:
        self._forget()
        return self.cf.delete(self.filename)

    # ---- moving

    def transfer_to(self, cloudpath: Any, reencode: str | bool | None = None, content_type: str | None = None) -> None:
        """Copy the object to another one, given as a cloudpath or a CloudFile; see `CloudFiles.transfer_to`."""
        other = self._other(cloudpath)
        other._forget()
        self.cf.transfer_to(other.cf, [(self.filename, other.filename)], reencode=reencode, content_type=content_type)

    def transfer_from(self, cloudpath: Any, reencode: str | bool | None = None,
                      content_type: str | None = None) -> None:
        """Copy another object to this one."""
        self._other(cloudpath).transfer_to(self, reencode=reencode, content_type=content_type)

    def move(self, dest: Any) -> None:
        """Move the object; see `CloudFiles.moves`."""
        other = self._other(dest)
        self._forget()
        other._forget()
        self.cf.moves(other.cf, [(self.filename, other.filename)])

    def _other(self, given: Any) -> CloudFile:
        """Another object, reached as this one is."""
        if isinstance(given, CloudFile):
            return given
        other = CloudFile(given)
        other.cf._store = self.cf._store.at(other.cf.cloudpath)
        return other

    def _forget(self) -> None:
        self._head = self._size = None

    # ---- paths

    def join(self, *paths: str) -> str:
        return self.cf.join(*paths)

    def dirname(self) -> str:
        """The cloudpath of the directory."""
        return self.cf.cloudpath

    def basename(self) -> str:
        return self.filename

    def abspath(self) -> str:
        return self.cf.abspath(self.filename)


def _is_pair(value: Any) -> bool:
    """Whether it is one `(start, end)`, and not a list of ranges."""
    return isinstance(value, tuple) and len(value) == 2 and all(
        edge is None or hasattr(edge, "__index__") for edge in value)
