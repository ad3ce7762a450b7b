"""The types of what the methods of `CloudFiles` return; `from cloudfiles import GetResult` for annotations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypedDict

if TYPE_CHECKING:
    from typing import Literal, overload

    from cloudfiles.byteranges import ByteRange


class GetResult(dict[str, Any]):
    """The result for one path of `CloudFiles.get`, `stream` and `dl`: a dict with these keys.

    - `'path'`: the path, a str. `'fullpath'`: the cloudpath; only in results of `dl`.
    - `'content'`: the content, as bytes; None if the object is missing, or could not be read. On `mem://`, objects that
      were put with `raw=True` are returned as they are.
    - `'byte_range'`: a named tuple `(start, end)`; `(None, None)` for a whole object.
    - `'error'`: the exception, if the object could not be read and `raise_errors=False` was given; otherwise None.
    - `'compress'`: the encoding of the stored bytes, such as 'gzip'; '' or None if they are not encoded.
    - `'raw'`: whether `'content'` was not decoded.
    - `'tags'`: the 'tags' of the request, or None.

    Attributes:
        verified: the digest that the stored bytes were verified with ('md5', 'crc32c', ...); '' if the store provided
            none, or none for a range: then only their length was checked.
    """

    __slots__ = ("verified",)

    verified: str

    def __init__(self, fields: dict[str, Any], verified: str = "") -> None:
        dict.__init__(self, fields)
        self.verified = verified

    if TYPE_CHECKING:
        @overload
        def __getitem__(self, key: Literal["path", "fullpath"], /) -> str: ...
        @overload
        def __getitem__(self, key: Literal["content"], /) -> bytes | None: ...
        @overload
        def __getitem__(self, key: Literal["byte_range"], /) -> ByteRange: ...
        @overload
        def __getitem__(self, key: Literal["error"], /) -> Exception | None: ...
        @overload
        def __getitem__(self, key: Literal["compress"], /) -> str | None: ...
        @overload
        def __getitem__(self, key: Literal["raw"], /) -> bool: ...
        @overload
        def __getitem__(self, key: str, /) -> Any: ...
        def __getitem__(self, key: str, /) -> Any: ...


ObjectHead = TypedDict("ObjectHead", {
    "Cache-Control": "str | None",
    "Content-Length": "int | None",
    "Content-Type": "str | None",
    "ETag": "str | None",
    "Last-Modified": "str | None",
    "Content-md5": "str | None",
    "Content-Encoding": "str | None",
    "Content-Disposition": "str | None",
    "Content-Language": "str | None",
    "Storage-Class": "str | None",
    "Request-Charged": "str | None",
    "Parts-Count": "int | None",
})
ObjectHead.__doc__ = """The result of `CloudFiles.head` for one object: a dict with the header fields 'Cache-Control',
'Content-Length' (int, stored bytes), 'Content-Type', 'ETag', 'Last-Modified' (an HTTP date), 'Content-md5' (base64),
'Content-Encoding', 'Content-Disposition', 'Content-Language', 'Storage-Class', 'Request-Charged' and 'Parts-Count'
(int). All others are str. Fields that the store does not report are None."""


class SizeSummary(TypedDict):
    """The result of `CloudFiles.du` and `subtree_size`: a dict.

    Attributes:
        N: the number of objects.
        num_bytes: their size in stored bytes.
    """

    N: int
    num_bytes: int
