"""The modes of `open`."""

from __future__ import annotations

from typing import Any, NamedTuple

from cloudfiles.exceptions import InvalidInputError

_ACTIONS = "rwax"


class Mode(NamedTuple):
    """A mode, taken apart.

    Attributes:
        action: 'r', 'w', 'a' or 'x'.
        is_text: whether str is read or written.
    """

    action: str
    is_text: bool


def parse_mode(mode: Any) -> Mode:
    """'r', 'w', 'a' or 'x', with 'b' for bytes, or 't' or nothing for text. Raises InvalidInputError."""
    letters = sorted(mode) if isinstance(mode, str) else []
    actions = [letter for letter in letters if letter in _ACTIONS]
    kinds = [letter for letter in letters if letter in "bt"]
    if "+" in letters:
        raise InvalidInputError(f"mode {mode!r}: an object cannot be open for reading and writing at once")
    if len(actions) != 1 or len(kinds) > 1 or len(letters) != len(actions) + len(kinds):
        raise InvalidInputError(f"mode: expected one of r, w, a and x, with b for bytes or t for text, got {mode!r}")
    return Mode(actions[0], kinds != ["b"])
