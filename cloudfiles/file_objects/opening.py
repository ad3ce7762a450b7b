"""`open_file`: what `CloudFiles.open` does."""

from __future__ import annotations

from typing import IO, Any

from cloudfiles import content_encoding, encoding_streams
from cloudfiles.batch.store import Store
from cloudfiles.batch.writer import WriteDefaults, write_options
from cloudfiles.exceptions import ExistingObjectError, InvalidInputError, MissingObjectError, UnsupportedOperationError
from cloudfiles.file_objects.appending import appended
from cloudfiles.file_objects.forward_reader import DecodedReader, SingleRequestReader
from cloudfiles.file_objects.modes import parse_mode
from cloudfiles.file_objects.object_reader import ObjectReader
from cloudfiles.file_objects.object_writer import ObjectWriter
from cloudfiles.file_objects.positioned_reader import PositionedReader
from cloudfiles.file_objects.text import as_text
from cloudfiles.file_objects.uploads import Upload
from cloudfiles.inputs import as_path
from cloudfiles.lib import StrPath
from cloudfiles.types import StoredObject


def open_file(store: Store, path: StrPath, mode: str = "rb", *, blocksize: int | None = None,
              delimiter: bytes | None = None, encoding: str | None = None, errors: str | None = None,
              newline: str | None = None, raw: bool = False, **put_options: Any) -> IO[Any]:
    """See `CloudFiles.open`."""
    action, is_text = parse_mode(mode)
    if not is_text and (encoding, errors, newline) != (None, None, None):
        raise InvalidInputError("encoding, errors and newline are for text modes, such as 'rt'")
    key = as_path(path)
    _check_blocks(blocksize, delimiter)
    file: Any
    if action == "r":
        if put_options:
            raise InvalidInputError(f"{', '.join(put_options)}: only for writing")
        file = _open_to_read(store, key, blocksize, raw)
    else:
        file = _open_to_write(store, key, action, blocksize, delimiter, WriteDefaults(raw=raw, **put_options))
    return as_text(file, mode, encoding, errors, newline) if is_text else file


def _check_blocks(blocksize: Any, delimiter: Any) -> None:
    if blocksize is not None and (isinstance(blocksize, bool) or not isinstance(blocksize, int) or blocksize < 1):
        raise InvalidInputError(f"blocksize: expected a number of bytes > 0, or None, got {blocksize!r}")
    if delimiter is not None and not (isinstance(delimiter, bytes) and delimiter):
        raise InvalidInputError(f"delimiter: expected at least one byte, or None, got {delimiter!r}")


def _open_to_read(store: Store, key: str, blocksize: int | None, raw: bool) -> PositionedReader:
    interface = store.here()
    version = interface.describe(key)
    if version is None:
        raise MissingObjectError("the object does not exist", path=key, store=store.cloudpath)
    if store.keeps_live_objects and version.size is None:
        raise UnsupportedOperationError("a Python object cannot be opened as a file", path=key, store=store.cloudpath)
    stored: PositionedReader
    if version.validator is None or version.size is None or not interface.supports_ranges(version):
        stored = SingleRequestReader(store, key, version)
    else:
        stored = ObjectReader(store, key, version, blocksize)
    encoding = content_encoding.effective_encoding(version.encoding)
    return DecodedReader(stored, store, encoding) if encoding and not raw else stored


def _open_to_write(store: Store, key: str, action: str, blocksize: int | None, delimiter: bytes | None,
                   defaults: WriteDefaults) -> ObjectWriter:
    interface = store.here()
    interface.check_target(key)
    options = write_options(key, defaults)
    if action == "x" and interface.exists(key):
        raise ExistingObjectError("the object exists already", path=key, store=store.cloudpath)
    found = _to_append_to(store, key, options.encoding) if action == "a" else None
    if found is not None:
        upload, encoding, position = appended(store, key, found, defaults), found.encoding, found.size or 0
    else:
        if action in "ax":
            options = options._replace(if_absent=True, if_match=None)
        upload, encoding, position = Upload(store, key, options), options.encoding, 0
    encoding = "" if defaults.raw else content_encoding.effective_encoding(encoding)
    if encoding and delimiter is not None:
        raise InvalidInputError("delimiter: encoded content cannot be cut at a delimiter", path=key)
    encoder = encoding_streams.encoder(encoding, defaults.compression_level) if encoding else None
    return ObjectWriter(key, action + "b", upload, encoder, blocksize, delimiter, 0 if encoding else position)


def _to_append_to(store: Store, key: str, encoding: str) -> StoredObject | None:
    """The object, if it exists. Raises UnsupportedOperationError if it cannot be appended to with this encoding."""
    found = store.here().describe(key)
    if found is None:
        return None
    reason = ""
    if encoding and encoding != found.encoding:
        reason = f"the object has the encoding {found.encoding!r}, and cannot continue with {encoding!r}"
    elif not content_encoding.concatenates(content_encoding.effective_encoding(found.encoding)):
        reason = f"content cannot be appended to an object with the encoding {found.encoding!r}"
    elif found.validator is None or found.size is None:
        reason = "the store does not report what would show that the object was not replaced meanwhile (size and ETag)"
    if reason:
        raise UnsupportedOperationError(reason, path=key, store=store.cloudpath)
    return found
