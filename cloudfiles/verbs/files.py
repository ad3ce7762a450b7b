"""The method of `CloudFiles` that opens file objects."""

from __future__ import annotations

from collections.abc import Mapping
from typing import IO, Any, BinaryIO, Literal, TextIO, TypeAlias, overload

from cloudfiles.lib import StrPath
from cloudfiles.verbs.batch_runner import BatchRunner

BinaryMode: TypeAlias = Literal["rb", "wb", "ab", "xb", "br", "bw", "ba", "bx"]
TextMode: TypeAlias = Literal["r", "w", "a", "x", "rt", "wt", "at", "xt", "tr", "tw", "ta", "tx"]


class FileVerbs(BatchRunner):
    """Methods of `CloudFiles` that open file objects."""

    @overload
    def open(self, path: StrPath, mode: BinaryMode = "rb", *, blocksize: int | None = None,
             delimiter: bytes | None = None, encoding: None = None, errors: None = None, newline: None = None,
             raw: bool = False, content_type: str | None = None, compress: str | bool | None = None,
             compression_level: int | None = None, cache_control: str | None = None,
             storage_class: str | None = None, metadata: Mapping[str, str] | None = None, if_absent: bool = False,
             if_match: str | None = None) -> BinaryIO: ...
    @overload
    def open(self, path: StrPath, mode: TextMode, *, blocksize: int | None = None, delimiter: bytes | None = None,
             encoding: str | None = None, errors: str | None = None, newline: str | None = None, raw: bool = False,
             content_type: str | None = None, compress: str | bool | None = None,
             compression_level: int | None = None, cache_control: str | None = None,
             storage_class: str | None = None, metadata: Mapping[str, str] | None = None, if_absent: bool = False,
             if_match: str | None = None) -> TextIO: ...
    @overload
    def open(self, path: StrPath, mode: str, *, blocksize: int | None = None, delimiter: bytes | None = None,
             encoding: str | None = None, errors: str | None = None, newline: str | None = None, raw: bool = False,
             content_type: str | None = None, compress: str | bool | None = None,
             compression_level: int | None = None, cache_control: str | None = None,
             storage_class: str | None = None, metadata: Mapping[str, str] | None = None, if_absent: bool = False,
             if_match: str | None = None) -> IO[Any]: ...

    def open(self, path: StrPath, mode: str = "rb", *, blocksize: int | None = None, delimiter: bytes | None = None,
             encoding: str | None = None, errors: str | None = None, newline: str | None = None, raw: bool = False,
             content_type: str | None = None, compress: str | bool | None = None,
             compression_level: int | None = None, cache_control: str | None = None,
             storage_class: str | None = None, metadata: Mapping[str, str] | None = None, if_absent: bool = False,
             if_match: str | None = None) -> IO[Any]:
        """Open an object as a file object, as Python's `open` does for files. See "File objects" in the guide.

        A written object appears, complete, when the file object is closed. If a `with` block ends with an exception, or
        the file object is never closed, nothing appears, and what was sent is removed.

        Args:
            mode: 'r' to read, 'w' to create or replace, 'x' to create only, 'a' to append; with 'b' for bytes, or 't'
                or nothing for text.
            blocksize: bytes of the smallest request while reading; bytes that are kept before they are sent while
                writing. None: 64 KiB and 8 MiB.
            delimiter: while writing, blocks that are sent end after these bytes.
            encoding, errors, newline: of text, as for Python's `open`. The default encoding is UTF-8.
            raw: read the stored bytes, without decoding them by their Content-Encoding; write bytes that are encoded
                already.
            content_type, compress, compression_level, cache_control, storage_class, metadata, if_absent, if_match: for
                writing, as for `puts`. An object that is appended to keeps its own.

        Raises:
            MissingObjectError: (also a FileNotFoundError) the object to read does not exist.
            ExistingObjectError: (also a FileExistsError) the object to create exists, when opened or when closed.
            PreconditionFailedError: when closed: the object that is appended to, or has to have the ETag `if_match`,
                was replaced meanwhile. It is not changed.
            ObjectChangedError: when read: the object was replaced meanwhile.
            InvalidInputError: (also a ValueError) an argument is invalid.
        """
        from cloudfiles.file_objects import open_file

        options = {"content_type": content_type, "compress": compress, "compression_level": compression_level,
                   "cache_control": cache_control, "storage_class": storage_class, "metadata": metadata,
                   "if_absent": if_absent, "if_match": if_match}
        given = {name: value for name, value in options.items() if value not in (None, False)}
        return open_file(self._store, path, mode, blocksize=blocksize, delimiter=delimiter, encoding=encoding,
                         errors=errors, newline=newline, raw=raw, **given)
