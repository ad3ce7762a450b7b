"""JSON by orjson, with the differences to Python's `json` handled here.

NaN and infinities are written and read as by `json`, although they are not JSON by RFC 8259; orjson would silently
write null instead. A byte order mark is ignored.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from functools import cache
from typing import Any

from cloudfiles.exceptions import InvalidInputError, InvalidJSONError
from cloudfiles.late_imports import importing


@cache
@importing
def _orjson() -> Any:
    import orjson

    return orjson


def load_json(content: bytes | None, path: str) -> Any:
    """The value in `content`; None for None. Raises InvalidJSONError, which names the path."""
    if content is None:
        return None
    orjson = _orjson()
    try:
        return orjson.loads(content)
    except orjson.JSONDecodeError as error:
        try:
            return json.loads(content)  # accepts NaN, byte order marks and UTF-16
        except (ValueError, TypeError, RecursionError):
            raise InvalidJSONError("the content is not valid JSON: "
                                   f"{error}", path=path, pos=error.pos, lineno=error.lineno,
                                   colno=error.colno) from error


def dump_json(file: Any) -> Any:
    """A file of `put_jsons` with its content as JSON. Raises InvalidInputError for values that cannot be serialized."""
    if isinstance(file, Mapping) and "content" in file:
        return {**file, "content": _dumped(file["content"], file.get("path"))}
    try:
        path, content = file
    except (TypeError, ValueError):
        raise InvalidInputError(f"expected (path, value) or a dict, got {type(file).__name__}: {file!r}") from None
    return path, _dumped(content, path)


def _dumped(content: Any, path: Any) -> bytes:
    orjson = _orjson()
    options = orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS
    try:
        text: bytes = orjson.dumps(content, default=_plain, option=options)
        if b"null" in text:  # possibly instead of NaN
            text = orjson.dumps(_with_numbers_spelled(content), default=_spelled, option=options)
        return text
    except TypeError as error:
        raise InvalidInputError(f"the value cannot be serialized to JSON: {error}", path=str(path)) from error


def _plain(value: Any) -> Any:
    """Values that orjson does not support: numpy arrays that are not contiguous, rare numpy scalars."""
    if callable(getattr(value, "tolist", None)):
        return value.tolist()
    raise TypeError(f"unsupported type {type(value).__name__}")


def _spelled(value: Any) -> Any:
    return _with_numbers_spelled(_plain(value))


def _with_numbers_spelled(value: Any) -> Any:
    """`value` with placeholders for NaN and infinities."""
    if isinstance(value, float):
        return value if math.isfinite(value) else _word(value)
    if isinstance(value, dict):
        return {key: _with_numbers_spelled(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_with_numbers_spelled(one) for one in value]
    if hasattr(type(value), "__dataclass_fields__"):
        import dataclasses  # here, as it takes long to import

        return {field.name: _with_numbers_spelled(getattr(value, field.name)) for field in dataclasses.fields(value)
                if not field.name.startswith("_")}  # as orjson does
    if getattr(getattr(value, "dtype", None), "kind", "") == "f" and not _is_finite(value):
        return _with_numbers_spelled(value.tolist())
    return value


def _is_finite(array: Any) -> bool:
    """Whether a numpy float, or all elements of an array of them, are finite."""
    import numpy

    return bool(numpy.isfinite(array).all())


def _word(number: float) -> Any:
    return _orjson().Fragment("NaN" if math.isnan(number) else "Infinity" if number > 0 else "-Infinity")
