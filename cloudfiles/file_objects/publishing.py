"""What all file objects for writing have in common: the end of a `with` block, and that they are not pickled."""

from __future__ import annotations

from typing import Any, NoReturn, Protocol, SupportsIndex


class _Written(Protocol):
    @property
    def name(self) -> str: ...
    def close(self) -> None: ...
    def abort(self) -> None: ...


class PublishedOnExit:
    """A `with` block publishes what was written, unless it ends with an exception."""

    def __exit__(self: _Written, kind: Any, *_: object) -> None:
        if kind is None:
            self.close()
        else:
            self.abort()

    def __reduce_ex__(self: _Written, protocol: SupportsIndex, /) -> NoReturn:
        raise TypeError(f"the open file {self.name!r} cannot be pickled; pickle its CloudFiles or file system and its "
                        "path instead, and open it where it is used")
