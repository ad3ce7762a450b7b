"""Values as JSON, by orjson."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cloudfiles.exceptions import InvalidInputError, InvalidJSONError


def load_json(content: bytes | None, path: str) -> Any:
    """The value that `content` spells, None for None. Raises InvalidJSONError naming the path."""
    if content is None:
        return None
    import orjson

    try:
        return orjson.loads(content)
    except orjson.JSONDecodeError as error:
        raise InvalidJSONError(f"the content is no JSON: {error}", path=path) from error


def dump_json(file: Any) -> Any:
    """A file of `put_jsons` with its content spelled as JSON. Raises InvalidInputError for what JSON cannot say."""
    if isinstance(file, Mapping) and "content" in file:
        return {**file, "content": _dumped(file["content"], file.get("path"))}
    try:
        path, content = file
    except (TypeError, ValueError):
        raise InvalidInputError(f"{file!r} is no file to put; (path, value) or a dict would do") from None
    return path, _dumped(content, path)


def _dumped(content: Any, path: Any) -> bytes:
    import orjson

    try:
        return orjson.dumps(content, default=_plain, option=orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS)
    except TypeError as error:
        raise InvalidInputError(f"the value cannot be said in JSON: {error}", path=str(path)) from error


def _plain(value: Any) -> Any:
    """What orjson does not know: numpy arrays that are not contiguous, numpy's rarer scalars."""
    if callable(getattr(value, "tolist", None)):
        return value.tolist()
    raise TypeError(f"a value of type {type(value).__name__}")
