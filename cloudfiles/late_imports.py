"""Imports on first use, when the process may have no file descriptor left."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

_Function = TypeVar("_Function", bound=Callable[..., Any])

_call_again: Callable[..., Any] | None = None


def importing(function: _Function) -> _Function:
    """Decorates a function that only imports modules and uses them. If they cannot be read because the process has run
    out of descriptors, it is called again after idle connections were closed."""

    @wraps(function)
    def call(*args: Any) -> Any:
        try:
            return function(*args)
        except (ImportError, OSError):
            if _call_again is None:
                raise
            return _call_again(function, *args)

    return call  # type: ignore[return-value]


def call_again_by(with_descriptor: Callable[..., Any]) -> None:
    """with_descriptor: calls a function with arguments, and again after descriptors were freed if there were none."""
    global _call_again
    _call_again = with_descriptor
