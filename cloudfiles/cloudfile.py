"""`CloudFile`: one object."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeAlias, TypeVar, cast, overload

from cloudfiles.addresses import split_object
from cloudfiles.byteranges import from_slice
from cloudfiles.cloudfiles import CloudFiles, KeywordOptions
from cloudfiles.exceptions import CloudFilesError, InvalidInputError, redact
from cloudfiles.lib import StrPath
from cloudfiles.results import GetResult, ObjectHead

if TYPE_CHECKING:
    from typing_extensions import Unpack

P = ParamSpec("P")
T = TypeVar("T")

RangeOf: TypeAlias = "slice | tuple[int | None, int | None] | Mapping[str, Any]"
"""A byte range: a slice, `(start, end)`, or `{'start', 'end', 'tags'}`."""


def _for_one(verb: Callable[Concatenate[CloudFiles, Any, P], T]) -> Callable[Concatenate[CloudFile, P], T]:
    """A method of `CloudFiles` that writes one object, as a method of `CloudFile`: with the same parameters and result,
    but without the path."""
    name = verb.__name__

    def method(self: CloudFile, *args: Any, **options: Any) -> Any:
        self._forget()
        return getattr(self.cf, name)(self.filename, *args, **options)

    signature = inspect.signature(verb)
    parameters = [each for each in signature.parameters.values() if each.name != "path"]
    method.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    method.__name__, method.__qualname__ = name, f"CloudFile.{name}"
    method.__doc__ = f"As `CloudFiles.{name}`, for this object."
    return cast("Callable[Concatenate[CloudFile, P], T]", method)


class CloudFile:
    """One object of a store, given by its cloudpath.

    This is not a file object, as it has no position: `open` returns one. Use slices (`f[10:20]`) and `len(f)`.

    Args:
        path: the cloudpath of the object.
        cache_meta: request head and size once, and cache them until this CloudFile writes to the object.
        Others: as for `CloudFiles`.

    Raises:
        InvalidInputError: (also a ValueError) if an argument is invalid, or the path ends with a separator.
    """

    def __init__(self, path: StrPath, cache_meta: bool = False, secrets: Any = None,
                 composite_upload_threshold: int | None = int(1e8), locking: bool | None = None,
                 lock_dir: str | None = None, endpoint: str | None = None, no_sign_request: bool = False,
                 request_payer: str | None = None, use_https: bool = False, **options: Unpack[KeywordOptions]) -> None:
        directory, filename = split_object(path)
        self.filename: str = filename
        if not filename:
            raise InvalidInputError(f"expected the path of an object, got one that ends with a separator: {path!r}")
        self.cf: CloudFiles = CloudFiles(
            directory, secrets=secrets, composite_upload_threshold=composite_upload_threshold, locking=locking,
            lock_dir=lock_dir, endpoint=endpoint, no_sign_request=no_sign_request, request_payer=request_payer,
            use_https=use_https, **options)
        self.cache_meta = cache_meta
        self._head: ObjectHead | None = None
        self._size: int | None = None

    def __repr__(self) -> str:
        return redact(f"CloudFile({self.cf.abspath(self.filename)!r})")

    @property
    def protocol(self) -> str:
        """The protocol, such as 's3' or 'file'."""
        return self.cf.protocol

    @property
    def sep(self) -> str:
        """The separator of paths."""
        return self.cf.sep

    @property
    def lock_dir(self) -> str | None:
        """The directory of the lock files on `file://`; None elsewhere."""
        return self.cf.lock_dir

    def clear_locks(self) -> None:
        """Remove lock files that are not held by any process."""
        self.cf.clear_locks()

    # ---- reading

    @overload
    def get(self, ranges: RangeOf | None = None, raw: bool = False) -> bytes | None: ...
    @overload
    def get(self, ranges: Iterable[RangeOf], raw: bool = False) -> list[GetResult]: ...

    def get(self, ranges: Any = None, raw: bool = False) -> Any:
        """Download the content. Returns None if the object is missing.

        Args:
            ranges: a slice, `(start, end)` or `{'start', 'end'}` for a range of the stored bytes, in bytes, with an
                exclusive end; or an iterable of these, which returns a list of results as `CloudFiles.get` does.
            raw: return the stored bytes; otherwise they are decoded by their Content-Encoding. Ranges are not decoded.

        Raises the exceptions of `CloudFiles.get`.
        """
        if ranges is None:
            return self.cf.get(self.filename, raw=raw)
        if isinstance(ranges, slice | Mapping) or _is_pair(ranges):
            return self.cf.get(self._wanted(ranges), raw=raw)
        if not isinstance(ranges, Iterable):
            raise self._not_a_range(ranges)
        return self.cf.get([self._wanted(one) for one in ranges], raw=raw)

    def _wanted(self, one: Any) -> dict[str, Any]:
        if isinstance(one, slice):
            one = from_slice(one)
        if isinstance(one, Mapping):
            return {**one, "path": self.filename}
        if not _is_pair(one):
            raise self._not_a_range(one)
        return {"path": self.filename, "start": one[0], "end": one[1]}

    @staticmethod
    def _not_a_range(value: Any) -> InvalidInputError:
        return InvalidInputError("expected a byte range (a slice, (start, end) or {'start', 'end'}), got "
                                 f"{type(value).__name__}: {value!r}")

    def get_json(self) -> Any:
        """Download the content and parse it as JSON. Returns None if the object is missing.

        Raises InvalidJSONError (also a json.JSONDecodeError) if it is not valid JSON.
        """
        return self.cf.get_json(self.filename)

    def __getitem__(self, key: slice) -> bytes | None:
        if not isinstance(key, slice):
            raise InvalidInputError(f"expected a slice, as in f[start:end], got {type(key).__name__}: {key!r}")
        if key == slice(None):
            return self.get()
        return self.cf._slice_of(self.filename, key, lambda _: self.size())

    def head(self) -> ObjectHead | None:
        """As `CloudFiles.head`: the header fields of the object, or None if it is missing."""
        if self._head is None or not self.cache_meta:
            self._head = self.cf.head(self.filename)
        return self._head

    def get_acl(self) -> dict[str, Any]:
        """As `CloudFiles.get_acl`."""
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
        return True  # otherwise bool() would use __len__, which costs a request

    def exists(self) -> bool:
        """Whether the object exists."""
        return self.cf.exists(self.filename)

    # ---- writing

    put = _for_one(CloudFiles.put)
    put_json = _for_one(CloudFiles.put_json)
    open = _for_one(CloudFiles.open)

    def touch(self) -> None:
        """As `CloudFiles.touch`: create an empty object if it does not exist."""
        self._forget()
        self.cf.touch(self.filename)

    def delete(self) -> int:
        """Delete the object; it may be missing. Returns 1."""
        self._forget()
        return self.cf.delete(self.filename)

    # ---- moving

    def transfer_to(self, cloudpath: CloudFile | StrPath, reencode: str | bool | None = None,
                    content_type: str | None = None) -> None:
        """Copy the object to another one, given as a cloudpath or a CloudFile; see `CloudFiles.transfer_to`."""
        other = self._other(cloudpath)
        other._forget()
        self.cf.transfer_to(other.cf, [(self.filename, other.filename)], reencode=reencode, content_type=content_type)

    def transfer_from(self, cloudpath: CloudFile | StrPath, reencode: str | bool | None = None,
                      content_type: str | None = None) -> None:
        """Copy another object, given as a cloudpath or a CloudFile, to this one."""
        self._other(cloudpath).transfer_to(self, reencode=reencode, content_type=content_type)

    def move(self, dest: CloudFile | StrPath) -> None:
        """Move the object to another one, given as a cloudpath or a CloudFile; see `CloudFiles.moves`."""
        other = self._other(dest)
        self._forget()
        other._forget()
        self.cf.moves(other.cf, [(self.filename, other.filename)])

    def _other(self, given: CloudFile | StrPath) -> CloudFile:
        """Another object; a cloudpath is opened with the options of this one."""
        if isinstance(given, CloudFile):
            return given
        other = CloudFile(given)
        other.cf._store = self.cf._store.at(other.cf.cloudpath)
        return other

    def _forget(self) -> None:
        self._head = self._size = None

    # ---- paths

    def join(self, *paths: StrPath) -> str:
        """Join paths with the separator of the protocol."""
        return self.cf.join(*paths)

    def dirname(self) -> str:
        """The cloudpath of the directory."""
        return self.cf.cloudpath

    def basename(self) -> str:
        """The name of the object within its directory."""
        return self.filename

    def abspath(self) -> str:
        """The cloudpath of the object."""
        return self.cf.abspath(self.filename)


def _is_pair(value: Any) -> bool:
    """Whether it is one range `(start, end)`, not a list of ranges."""
    return isinstance(value, tuple) and len(value) == 2 and all(
        edge is None or hasattr(edge, "__index__") for edge in value)
