"""Checks of options, each by the name that the user knows: they return the value, or raise InvalidInputError."""

from __future__ import annotations

import os
from typing import Any

from cloudfiles.exceptions import InvalidInputError
from cloudfiles.inputs import given


def checked_count(name: str, value: Any, least: int = 0) -> int:
    """`value` as an integer of at least `least`. Raises InvalidInputError."""
    if isinstance(value, bool) or not hasattr(value, "__index__") or value.__index__() < least:
        raise InvalidInputError(f"{name}: expected an integer >= {least}, got {value!r}")
    return int(value)


def is_number(value: Any) -> bool:
    """Whether `value` is a float or an integer, also of NumPy, and not a bool."""
    return not isinstance(value, bool) and (isinstance(value, float) or hasattr(value, "__index__"))


def checked_text(name: str, value: Any) -> Any:
    """`value`, which has to be a str that can be encoded, a path, or not given. Raises InvalidInputError."""
    value = given(value)
    if value is None:
        return None
    if isinstance(value, str | os.PathLike):
        try:
            os.fsencode(value)
        except UnicodeEncodeError as error:
            raise InvalidInputError(f"{name}: {value!a} cannot be encoded: {error.reason}") from None
        return value
    raise InvalidInputError(f"{name}: expected a str, got {type(value).__name__}: {value!r}")


def checked_choice(name: str, value: Any) -> bool | None:
    """`value`, which has to be True, False or None, also as a NumPy bool or as 1 or 0. Raises InvalidInputError."""
    if value is None or isinstance(value, bool):
        return value
    if type(value).__name__ in ("int", "bool", "bool_") and value in (0, 1):
        return bool(value)
    raise InvalidInputError(f"{name}: expected True, False or None, got {type(value).__name__}: {value!r}")


def checked_callback(name: str, value: Any) -> Any:
    """`value`, which has to be a function or None. Raises InvalidInputError."""
    if value is None or callable(value):
        return value
    raise InvalidInputError(f"{name}: expected a function, got {type(value).__name__}: {value!r}")
