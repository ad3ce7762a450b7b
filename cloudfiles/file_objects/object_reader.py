"""`ObjectReader`: the stored bytes of an object, in any order."""

from __future__ import annotations

from typing import Any

from cloudfiles.batch.store import Store
from cloudfiles.file_objects.positioned_reader import Block, PositionedReader
from cloudfiles.file_objects.read_ahead import LEAST_BYTES, ReadAhead
from cloudfiles.types import StoredObject


class ObjectReader(PositionedReader):
    """The stored bytes of one version of an object. Raises ObjectChangedError if it was replaced meanwhile.

    Attributes:
        size: in bytes.
        etag: of this version, if the store reports it.
    """

    def __init__(self, store: Store, key: str, version: StoredObject, blocksize: int | None = None,
                 position: int = 0) -> None:
        assert version.size is not None
        super().__init__(key)
        self.size = version.size
        self.etag = version.etag
        self._position = position
        self._arguments = (store, key, version, blocksize)
        self._blocks = self._new_blocks()

    def _new_blocks(self) -> ReadAhead:
        store, key, version, blocksize = self._arguments
        return ReadAhead(store, key, version, blocksize or LEAST_BYTES)

    def _block_at(self, position: int, wanted: int) -> Block | None:
        return self._blocks.block_at(position, wanted)

    def _end(self) -> int:
        return self.size

    def _after_fork(self) -> None:
        super()._after_fork()
        self._blocks = self._new_blocks()

    def close(self) -> None:
        if not self.closed:
            if hasattr(self, "_blocks"):  # else an interrupt has ended the constructor
                self._blocks.close()
            super().close()

    def __reduce__(self) -> tuple[Any, ...]:
        """A pickle continues at the position, with the same version of the object."""
        return type(self), (*self._arguments, self._position)
