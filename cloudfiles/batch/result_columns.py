"""The results of a `get` in another process: only what the caller does not know, in columns."""

from __future__ import annotations

from typing import Any

from cloudfiles.batch.reader import GetItem, as_get_item
from cloudfiles.results import GetResult
from cloudfiles.values import NamedTuple


def without_tags(items: list[Any]) -> list[Any]:
    """The items as they are sent: without their tags, which may be any object."""
    return [item if type(item) is str else _without_tags(item) for item in items]


def _without_tags(item: Any) -> GetItem:
    wanted = as_get_item(item)
    return wanted if wanted.tags is None else wanted._replace(tags=None)


class ResultColumns(NamedTuple):
    """The results of a chunk.

    Attributes:
        size: bytes of all contents.
    """

    contents: list[Any]
    encodings: list[str | None]
    errors: list[Exception | None]
    verified: list[str]
    size: int

    @classmethod
    def of(cls, results: list[GetResult]) -> ResultColumns:
        contents = [result["content"] for result in results]
        return cls(contents, [result["compress"] for result in results], [result["error"] for result in results],
                   [getattr(result, "verified", "") for result in results],
                   sum(len(content) for content in contents if content is not None))

    def results(self, items: list[Any], raw: bool) -> list[GetResult]:
        """The results of `get` for these items."""
        found = []
        for item, content, encoding, error, verified in zip(items, *self[:4], strict=True):
            wanted = GetItem(item) if type(item) is str else as_get_item(item)
            found.append(GetResult({"path": wanted.path, "content": content, "byte_range": wanted.byte_range,
                                    "error": error, "compress": encoding, "raw": raw, "tags": wanted.tags}, verified))
        return found
