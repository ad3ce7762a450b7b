"""Estimates where in the key space the next keys of a listing are, from the keys of one page.

A key is read as a number, whose digits are its characters: positions at which the page has only digits count to ten,
those with hexadecimal digits to sixteen, and so on. The keys of a page show how much the number grows from one key to
the next. What is estimated is only where a listing is split: a wrong estimate costs requests, never a key.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from itertools import zip_longest

FILL = 0.9
"""How much of a page the next range probably fills: with less than a page, it takes one request."""

_DEPTH = 8
"""Number of characters behind the common beginning of the keys that are used."""

_SAMPLE = 128
"""Number of keys from which the characters at each position are learned."""

_CYCLES = 2
"""If the characters before a position have changed this often, the page has probably all that occur there."""

_DIGITS = "0123456789"
_LOWER, _UPPER = "abcdefghijklmnopqrstuvwxyz", "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_HEX = (_DIGITS + "abcdef", _DIGITS + "ABCDEF")
_CLASSES = (_DIGITS, _LOWER, _UPPER, *_HEX, _DIGITS + _LOWER, _DIGITS + _UPPER, _DIGITS + _UPPER + _LOWER)


class KeyScale:
    """A scale on which the keys of a page are about evenly spaced.

    Attributes:
        count: number of keys of the page.
    """

    def __init__(self, keys: Sequence[str], prefix: str, before: str | None = None) -> None:
        """keys: of a page, in order, at least two; all start with `prefix`. before: the position before them."""
        self.count = len(keys)
        self._keys = keys
        self._before = before
        self._means: dict[str, float | None] = {}
        self._prefix = prefix
        first, last = keys[0], keys[-1]
        common = len(common_prefix(first, last))
        sample = [*keys[::max(1, len(keys) // _SAMPLE)], last]
        varying = _varying_alphabets(sample, common)
        self._alphabets = _fixed_alphabets(last, len(prefix), common, varying) + varying
        self._step = (self._value(last) - self._value(first)) / max(1, len(keys) - 1)
        if any(0xD800 <= ord(each) <= 0xDFFF for each in last[:common]):
            self._step = 0.0  # not UTF-8: a position could not be requested

    def beyond(self, key: str, count: float) -> str | None:
        """A position about `count` keys after `key`; None if there is none with this prefix, or it cannot be estimated.

        It is valid Unicode, starts with the prefix, and is after `key`.
        """
        step = int(self._step * count)
        if step <= 0:
            return None
        digits: list[str] = []
        value = self._value(key) + step
        for alphabet in reversed(self._alphabets):
            value, digit = divmod(value, len(alphabet))
            digits.append(alphabet[digit])
        if value:
            return None  # behind all keys of this length
        position = self._prefix + "".join(reversed(digits))
        return position if position > key else None

    def parent_directory(self) -> str | None:
        """The directory that contains all keys of the page, or its parent if they are in no subdirectories of it; None
        if the keys are in no directories below the prefix."""
        directory = _directory(common_prefix(self._keys[0], self._keys[-1]))
        if self._keys[0].find("/", max(len(directory), len(self._prefix))) >= 0:
            return directory
        return _directory(directory[:-1]) if len(directory) > len(self._prefix) else None

    def keys_per_directory(self, directory: str) -> float | None:
        """Mean number of keys in the subdirectories of `directory`, of which the page has the beginning; None if it has
        none."""
        if directory not in self._means:
            self._means[directory] = self._mean_per_directory(directory)
        return self._means[directory]

    def _mean_per_directory(self, directory: str) -> float | None:
        names = {key[:key.find("/", len(directory)) + 1] for key in self._keys if key.startswith(directory)} - {""}
        begun = [name for name in names if name == self._before or not (self._before or "").startswith(name)]
        return len(self._keys) / len(begun) if begun else None

    def _value(self, key: str) -> int:
        value = 0
        at = len(self._prefix)
        for alphabet in self._alphabets:
            digit = bisect_left(alphabet, key[at]) if at < len(key) else 0
            value = value * len(alphabet) + min(digit, len(alphabet) - 1)
            at += 1
        return value


def common_prefix(first: str, last: str) -> str:
    """What both keys, and those between them, start with."""
    length = next((at for at, pair in enumerate(zip(first, last, strict=False)) if pair[0] != pair[1]),
                  min(len(first), len(last)))
    return first[:length]


def _directory(key: str) -> str:
    return key[:key.rfind("/") + 1]


def _varying_alphabets(keys: list[str], common: int) -> list[str]:
    """The alphabets of the positions from the first one at which the keys differ."""
    alphabets: list[str] = []
    word: set[str] = set()  # what the same word has at later positions: `0a` may be followed by `0b`
    columns = list(zip_longest(*[key[common:common + _DEPTH] for key in keys]))
    known = next((at for at in range(len(columns)) if len({key[:common + at] for key in keys}) > _CYCLES), _DEPTH)
    for at in range(len(columns) - 1, -1, -1):
        seen = {each for each in set(columns[at]) if each is not None and not "\ud800" <= each <= "\udfff"}
        if not seen:
            alphabets.clear()
            continue
        word = word | seen if all(each.isascii() and each.isalnum() for each in seen) else set()
        alphabets.append("".join(sorted(seen)) if at >= known else _completed(seen, word))
    return alphabets[::-1]


def _completed(seen: set[str], word: set[str]) -> str:
    """The characters that probably occur where some were seen: the smallest class with all letters and digits among
    them, and the others as they are. In a hexadecimal number, the digits at other positions count as well."""
    letters = {each for each in seen if each.isascii() and each.isalnum()}
    if letters:
        in_word = letters | word
        is_hex = word & set(_DIGITS) and any(in_word.issubset(each) for each in _HEX)
        seen = seen | set(next(each for each in _CLASSES if (in_word if is_hex else letters).issubset(each)))
    return "".join(sorted(seen))


def _fixed_alphabets(key: str, start: int, common: int, varying: list[str]) -> list[str]:
    """The alphabets of the positions from `start` to `common`, at which all keys of the page agree.

    Digits count on, and so do characters that belong to one word with the first that varies; other words are kept.
    """
    alphabets: list[str] = []
    word = varying[0] if varying else ""
    for at in range(common - 1, start - 1, -1):
        character = key[at]
        if word and character not in word:
            word = ""
        if word and character.isascii() and character.isalnum():
            alphabets.append(word)
        elif character in _DIGITS:
            alphabets.append(_DIGITS)
        else:
            alphabets.append(character)
            word = ""
    return alphabets[::-1]
