"""Estimates where in the key space the next keys of a listing are, from the keys of one page.

A key is read as a number, whose digits are its characters: positions at which the page has only digits count to ten,
those with hexadecimal digits to sixteen, and so on. The keys of a page show how much the number grows from one key to
the next. What is estimated is only where a listing is split: a wrong estimate costs requests, never a key.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from functools import cached_property
from itertools import zip_longest
from posixpath import commonprefix

_DEPTH = 8
"""Number of characters behind the common beginning of the keys that are used."""

_SAMPLE = 128
"""Number of keys from which the characters at each position are learned."""

_FIXED = 32
"""Number of characters before these that are used: keys that agree in more differ behind them within a page."""

_CYCLES = 2
"""If the characters before a position have changed this often, the page has probably all that occur there."""

_MOST = 0.75
"""Share of a class of characters that occurs if the whole class probably does."""

_DIGITS = "0123456789"
_LOWER, _UPPER = "abcdefghijklmnopqrstuvwxyz", "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_HEX = (_DIGITS + "abcdef", _DIGITS + "ABCDEF")
_CLASSES = (_DIGITS, _LOWER, _UPPER, *_HEX, _DIGITS + _LOWER, _DIGITS + _UPPER, _DIGITS + _UPPER + _LOWER)


class KeyScale:
    """A scale on which the keys of a page are about evenly spaced.

    Attributes:
        keys: those of the page, in order.
        count: their number.
    """

    def __init__(self, keys: Sequence[str], prefix: str, before: str | None = None) -> None:
        """keys: of a page, in order, at least two; all start with `prefix`. before: the position before them."""
        self.count = len(keys)
        self.keys = keys
        self._before = before
        self._starts: dict[int, list[int]] = {}
        first, last = keys[0], keys[-1]
        common = len(commonprefix((first, last)))
        sample = [*keys[::max(1, len(keys) // _SAMPLE)], last]
        varying = _varying_alphabets(sample, common)
        start = max(len(prefix), common - _FIXED)
        alphabets = _fixed_alphabets(last, start, common, varying) + varying
        kept = next((at for at, alphabet in enumerate(alphabets) if len(alphabet) > 1), 0)
        self._prefix, self._start = prefix, last[:start + kept]
        self._alphabets = alphabets[kept:]
        self._step = (self._value(last) - self._value(first)) / max(1, len(keys) - 1)
        if not is_unicode(last[:common]):
            self._step = 0.0  # a position could not be requested

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
        position = self._start + "".join(reversed(digits))
        return position if position > key else None

    def between(self, start: str, end: str) -> float:
        """About how many keys there are after `start`, up to `end`."""
        return (self._value(end) - self._value(start)) / self._step if self._step > 0 else 0.0

    @cached_property
    def parent_directory(self) -> str | None:
        """The directory that contains all keys of the page, or its parent if they are in no subdirectories of it; None
        if the keys are in no directories below the prefix."""
        directory = _directory(commonprefix((self.keys[0], self.keys[-1])))
        if self.keys[0].find("/", max(len(directory), len(self._prefix))) >= 0:
            return directory
        return _directory(directory[:-1]) if len(directory) > len(self._prefix) else None

    def directory_starts(self, depth: int) -> list[int]:
        """The indices of the keys with which directories with so many slashes in their names begin."""
        if depth not in self._starts:
            self._starts[depth] = starts = []
            last = None if self._before is None else directory_at(self._before, depth)
            for at, key in enumerate(self.keys):
                if last is None or not key.startswith(last):
                    last = directory_at(key, depth)
                    if last is not None:
                        starts.append(at)
        return self._starts[depth]

    def _value(self, key: str) -> int:
        value = 0
        at = len(self._start)
        for alphabet in self._alphabets:
            digit = bisect_left(alphabet, key[at]) if at < len(key) else 0
            value = value * len(alphabet) + min(digit, len(alphabet) - 1)
            at += 1
        return value


def is_unicode(text: str) -> bool:
    """Whether it can be encoded in UTF-8: names that are not UTF-8 have surrogates."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def directory_at(key: str, depth: int) -> str | None:
    """The directory with this many slashes in its name that contains a key; None if there is none."""
    parts = key.split("/", depth)
    return key[:len(key) - len(parts[-1])] if len(parts) > depth else None


def _directory(key: str) -> str:
    return key[:key.rfind("/") + 1]


def _varying_alphabets(keys: list[str], common: int) -> list[str]:
    """The alphabets of the positions from the first one at which the keys differ."""
    alphabets: list[str] = []
    word: set[str] = set()  # what the same word has at later positions: `0a` may be followed by `0b`
    cycled: set[str] = set()
    columns = list(zip_longest(*[key[common:common + _DEPTH] for key in keys]))
    known = next((at for at in range(len(columns)) if len({key[:common + at] for key in keys}) > _CYCLES), _DEPTH)
    for at in range(len(columns) - 1, -1, -1):
        seen = {each for each in set(columns[at]) if each is not None and not "\ud800" <= each <= "\udfff"}
        if not seen:
            alphabets.clear()
            continue
        alphabets.append("".join(sorted(seen if at >= known else _completed(seen, word, cycled))))
        is_word = all(map(_is_letter, seen))
        word = word | seen if is_word else set()
        cycled = cycled | (seen if at >= known else set()) if is_word else set()
    return alphabets[::-1]


def _completed(seen: set[str], word: set[str], cycled: set[str]) -> set[str]:
    """The characters that probably occur where some were seen.

    They are those at later positions of the same word, if the page has probably all of those, and the smallest class
    with their letters and digits, if most of it was seen. Otherwise they are the smallest class with the letters and
    digits that were seen, and the others as they are. In a hexadecimal number, digits at other positions count as well.

    word: the characters at later positions of the same word. cycled: those at positions of which the page has all.
    """
    found = seen | cycled if seen <= cycled | word and cycled else seen
    letters = {each for each in found if each.isascii() and each.isalnum()}
    if not letters:
        return found
    in_word = letters | {each for each in word if each.isascii()}
    is_hex = word & set(_DIGITS) and any(in_word.issubset(each) for each in _HEX)
    smallest = next(each for each in _CLASSES if (in_word if is_hex else letters).issubset(each))
    return found | set(smallest) if found is seen or len(letters) >= _MOST * len(smallest) else found


def _is_letter(character: str) -> bool:
    return character.isalnum() or not character.isascii()


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
        if word and _is_letter(character):
            alphabets.append(word)
        elif character in _DIGITS:
            alphabets.append(_DIGITS)
        else:
            alphabets.append(character)
            word = ""
    return alphabets[::-1]
