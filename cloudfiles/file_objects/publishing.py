"""What all file objects for writing have in common: the end of a `with` block."""

from __future__ import annotations

from typing import Any, Protocol


class _Written(Protocol):
    def close(self) -> None: ...
    def abort(self) -> None: ...


class PublishedOnExit:
    """A `with` block publishes what was written, unless it ends with an exception."""

    def __exit__(self: _Written, kind: Any, *_: object) -> None:
        if kind is None:
            self.close()
        else:
            self.abort()
