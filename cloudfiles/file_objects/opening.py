"""`open_file`: what `CloudFiles.open` does."""

from __future__ import annotations

import io
from typing import IO, TYPE_CHECKING, Any

from cloudfiles import compression
from cloudfiles.batch.store import Store
from cloudfiles.batch.writer import WriteDefaults, write_options
from cloudfiles.exceptions import ExistingObjectError, InvalidInputError, MissingObjectError, UnsupportedOperationError
from cloudfiles.file_objects.modes import Mode, parse_mode
from cloudfiles.file_objects.object_reader import ObjectReader
from cloudfiles.file_objects.object_writer import BLOCK_BYTES, ObjectWriter, checked_blocksize
from cloudfiles.file_objects.text import TextReader, TextWriter
from cloudfiles.file_objects.uploads import Upload
from cloudfiles.inputs import as_path
from cloudfiles.lib import StrPath
from cloudfiles.types import StoredObject

if TYPE_CHECKING:
    from cloudfiles.cloudfiles import CloudFiles


def open_file(cf: CloudFiles, path: StrPath, mode: str = "rb", *, blocksize: int | None = None,
              delimiter: bytes | None = None, encoding: str | None = None, errors: str | None = None,
              newline: str | None = None, raw: bool = False, **put_options: Any) -> IO[Any]:
    """See `CloudFiles.open`."""
    parsed = parse_mode(mode)
    if not parsed.is_text and (encoding, errors, newline) != (None, None, None):
        raise InvalidInputError("encoding, errors and newline are for text modes, such as 'rt'")
    key = as_path(path)
    blocksize = checked_blocksize(blocksize)
    if parsed.action == "r":
        if put_options:
            raise InvalidInputError(f"{', '.join(put_options)}: only for writing")
        file: Any = _open_to_read(cf._store, key, blocksize, raw)
    else:
        file = _open_to_write(cf._store, key, parsed, blocksize, WriteDefaults(raw=raw, **put_options))
    if not parsed.is_text:
        return file  # type: ignore[no-any-return]
    text: io.TextIOWrapper = (TextReader if parsed.action == "r" else TextWriter)(
        file, encoding or "utf-8", errors, newline)
    text.mode = mode  # type: ignore[misc]  # which io declares as read-only
    return text


def _open_to_read(store: Store, key: str, blocksize: int | None, raw: bool) -> Any:
    interface = store.here()
    version = interface.describe(key)
    if version is None:
        raise MissingObjectError("the object does not exist", path=key, store=store.cloudpath)
    if (compression.effective_encoding(version.encoding) and not raw) or version.validator is None or (
            version.size is None):
        return io.BytesIO(_content(store, key, version, raw))
    return ObjectReader(store, key, version, blocksize)


def _content(store: Store, key: str, version: StoredObject, raw: bool) -> bytes:
    stored = store.here().get(key)
    if stored is None:
        raise MissingObjectError("the object does not exist", path=key, store=store.cloudpath)
    if not isinstance(stored.content, bytes):
        raise UnsupportedOperationError("a Python object cannot be opened as a file", path=key, store=store.cloudpath)
    encoding = compression.effective_encoding(stored.encoding)
    return compression.decompress(stored.content, encoding, key) if encoding and not raw else stored.content


def _open_to_write(store: Store, key: str, mode: Mode, blocksize: int | None, defaults: WriteDefaults) -> ObjectWriter:
    interface = store.here()
    interface.check_target(key)
    options = write_options(key, defaults)
    found = interface.describe(key) if mode.action in "ax" else None
    if mode.action == "x" and found is not None:
        raise ExistingObjectError("the object exists already", path=key, store=store.cloudpath)
    if mode.action == "x" or (mode.action == "a" and found is None):
        options = options._replace(if_absent=True)
    encoding = options.encoding
    if found is not None:
        encoding = found.encoding
        options = interface.write_options(found)._replace(if_match=found.etag)
    encoder = compression.encoder(encoding, defaults.compression_level) if encoding and not defaults.raw else None
    writer = ObjectWriter(key, mode.action + "b", Upload(store, key, options), encoder, blocksize or BLOCK_BYTES)
    if found is not None:
        writer.write(_content(store, key, found, defaults.raw))
    return writer
