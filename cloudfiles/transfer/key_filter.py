"""Which keys a command is about: `include` and `exclude`."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable, Iterable
from typing import Any

from cloudfiles.exceptions import InvalidInputError

KeyFilter = Callable[[str], bool]


def key_filter(include: Any, exclude: Any) -> KeyFilter:
    """A function that tells whether a key matches one of `include` (None: all do) and none of `exclude`.

    Each is a glob (`*` also matches slashes), a compiled regular expression to search for, a function of the key, or a
    list of these.
    """
    included, excluded = _matchers(include), _matchers(exclude)
    return lambda key: ((include is None or any(match(key) for match in included))
                        and not any(match(key) for match in excluded))


def _matchers(patterns: Any) -> list[Callable[[str], Any]]:
    if patterns is None:
        return []
    several: Iterable[Any] = patterns if isinstance(patterns, list | tuple | set | frozenset) else [patterns]
    return [_matcher(pattern) for pattern in several]


def _matcher(pattern: Any) -> Callable[[str], Any]:
    if isinstance(pattern, str):
        return re.compile(fnmatch.translate(pattern)).match
    if isinstance(pattern, re.Pattern):
        return pattern.search
    if callable(pattern):
        matching: Callable[[str], Any] = pattern
        return matching
    raise InvalidInputError("expected a glob, a compiled regular expression, a function of the key, or a list of "
                            f"them, got {type(pattern).__name__}: {pattern!r}")
