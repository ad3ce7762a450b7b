"""The fields of the names in one directory: few different values in each, in all combinations, as chunks of grids have.

`0-64_64-128_0-64` has three fields, which are separated by `_`. Which values a field has, and which of them follow each
other, is learned from all pages. Then a name is a number, whose digits are its fields, and the name that comes so many
names later is found by addition. Where the values are not known, positions are estimated by characters (`KeyScale`).
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Sequence
from itertools import combinations, pairwise
from math import prod

from cloudfiles.batch.key_scale import KeyScale, is_unicode

_MAX_SEPARATORS = 3
"""Maximum number of different characters that may separate fields."""

_FULL = 2
"""Combinations of the values on a page, for each key of it, up to which these are taken for values of fields."""

_MAX_VALUES = 10_000
"""Maximum number of values of a field. If there are more, the fields are forgotten, as they take memory."""

_LEARN_EVERY = 4
"""Once all values are known, only one page in so many is learned from, as little is new."""

_MAX_DIRECTORIES = 8
"""Directories of which the fields are kept."""


class FieldScale(KeyScale):
    """A scale for names with fields."""

    def __init__(self, keys: Sequence[str], prefix: str, before: str | None, fields: KeyFields) -> None:
        super().__init__(keys, prefix, before)
        self._fields = fields

    def beyond(self, key: str, count: float) -> str | None:
        steps = int(self._fields.between(self.keys[0], self.keys[-1]) / (self.count - 1) * count)
        position = self._fields.beyond(key, steps) if steps > 0 else None
        if position is None or position <= key or not position.startswith(self._prefix):
            return super().beyond(key, count)
        return position


class KnownFields:
    """The fields of the names in the directories of a listing, as far as they are known."""

    def __init__(self) -> None:
        self._fields: dict[str, KeyFields] = {}  # by directory, the latest ones
        self._separators: list[str] = []  # those that were found last
        self._pages = 0
        self._next_search = 1  # the number of the page that is searched for fields next, as this takes long

    def learn(self, keys: Sequence[str], before: str | None) -> KeyFields | None:
        """Learn from the keys of a page. Returns the fields of their directory; None if they have none, or if there are
        several directories.

        before: the key before them, if it is known.
        """
        directory = keys[0][:keys[0].rfind("/") + 1]
        if not keys[-1].startswith(directory) or "/" in keys[-1][len(directory):]:
            return None
        self._pages += 1
        fields = self._fields.get(directory)
        if fields is not None and self._pages % _LEARN_EVERY and fields.has_all_of(keys[0], keys[-1]):
            return fields
        if fields is None and not self._separators and self._pages < self._next_search:
            return None
        if not is_unicode("".join((before or "", *keys))):
            return None
        names = [key[len(directory):] for key in keys]
        if fields is None:
            if _columns(names, self._separators) is None and not self._search(names):
                return None
            if len(self._fields) >= _MAX_DIRECTORIES:
                del self._fields[next(iter(self._fields))]
            fields = self._fields[directory] = KeyFields(directory, self._separators)
        if before is not None and before.startswith(directory):
            names.insert(0, before[len(directory):])
        return fields if fields.learn(names) else None

    def _search(self, names: Sequence[str]) -> bool:
        if self._pages < self._next_search:
            return False
        self._next_search = 2 * self._pages
        self._separators = _separators_of(names)
        return bool(self._separators)


class KeyFields:
    """The fields of the names in a directory."""

    def __init__(self, directory: str, separators: Sequence[str]) -> None:
        self._directory = directory
        self._separators = separators
        self._fields = [_Field(end) for end in (*separators, "")]

    def has_all_of(self, *keys: str) -> bool:
        """Whether there is nothing to learn from a page with these first and last keys."""
        fields = self._probable()
        return all(field.is_complete for field in fields) and all(
            field.has(value) for key in keys for field, value in zip(fields, self._split(key), strict=True))

    def learn(self, names: Sequence[str]) -> bool:
        """Add the values in consecutive names. Returns whether all of them have the fields."""
        columns = None if self._fields[0].is_too_large else _columns(names, self._separators)
        if columns is None:
            return False
        for field, column in zip(self._fields, columns, strict=True):
            field.learn(column)
        if any(field.is_too_large for field in self._fields):
            self._fields = [_Field(end, is_too_large=True) for end in (*self._separators, "")]
            return False
        return True

    def between(self, start: str, end: str) -> int:
        """How many keys there are after `start`, up to `end`, if there are all combinations of values."""
        return self._number(end) - self._number(start)

    def beyond(self, key: str, steps: int) -> str | None:
        """The key that comes so many combinations after `key`; None if it is not known."""
        carry = steps
        parts: list[str] = []
        for field, value in zip(reversed(self._probable()), reversed(self._split(key)), strict=True):
            if value and not field.has(value):
                return None
            index = bisect_left(field.values, value)
            if field.are_adjacent(index, index + carry):
                carry, index = 0, index + carry
            elif field.is_complete:
                carry, index = divmod(index + carry, len(field.values))
            else:
                return None
            parts.append(field.values[index])
        return None if carry else self._directory + "".join(reversed(parts))

    def _number(self, key: str) -> int:
        number = 0
        for field, value in zip(self._probable(), self._split(key), strict=True):
            number = number * len(field.values) + bisect_left(field.values, value)
        return number

    def _probable(self) -> list[_Field]:
        """The fields; in place of an incomplete one, a complete one with its values: the axes of a grid are alike."""
        complete = [field for field in self._fields if field.is_complete]
        return [field if field.is_complete else next((each for each in complete if each.includes(field)), field)
                for field in self._fields]

    def _split(self, key: str) -> list[str]:
        """The values of a key; '' for those that are missing at the end of a position."""
        values, rest = [], key[len(self._directory):]
        for separator in self._separators:
            value, end, rest = rest.partition(separator)
            values.append(value + end)
        return [*values, rest]


class _Field:
    """The values of one field.

    Attributes:
        values: those that are known, in order, each with the separator at its end.
        is_too_large: there are more than are kept.
    """

    def __init__(self, end: str, *, is_too_large: bool = False) -> None:
        self.values: list[str] = []
        self.is_too_large = is_too_large
        self._end = end
        self._known: set[str] = set()
        self._pairs: set[tuple[str, str]] = set()  # of values that follow each other
        self._starts_again = False  # whether a lower value has followed a higher one
        self._has_gaps = True

    def learn(self, column: Sequence[str]) -> None:
        """Add the values, without separator, in consecutive names."""
        found = {value + self._end for value in set(column)} - self._known
        pairs = {(one + self._end, other + self._end) for one, other in set(pairwise(column))} - self._pairs
        if not found and not pairs:
            return
        self._known |= found
        self._pairs |= pairs
        for value in found:
            insort(self.values, value)
        self.is_too_large = len(self.values) > _MAX_VALUES
        self._starts_again = self._starts_again or any(one > other for one, other in pairs)
        if self._starts_again:
            self._has_gaps = not self.are_adjacent(0, len(self.values) - 1)

    @property
    def is_complete(self) -> bool:
        """Whether all values are known, as far as can be seen."""
        return len(self.values) == 1 or (self._starts_again and not self._has_gaps)

    def are_adjacent(self, start: int, end: int) -> bool:
        """Whether there are values with these indices, and no unknown ones between them."""
        return end < len(self.values) and self._pairs.issuperset(pairwise(self.values[start:end + 1]))

    def has(self, value: str) -> bool:
        return value in self._known

    def includes(self, other: _Field) -> bool:
        return self._known >= other._known


def _separators_of(names: Sequence[str]) -> list[str]:
    """The characters that separate the fields of all names, in their order; none if there are no such fields."""
    candidates = sorted({each for each in names[0] if not each.isalnum()})[:_MAX_SEPARATORS]
    best: list[str] = []
    fewest = float(_FULL * len(names))
    for count in range(len(candidates), 0, -1):
        for chosen in combinations(candidates, count):
            separators = [each for each in names[0] if each in chosen]
            sizes = [len(set(column)) for column in _columns(names, separators) or ()]
            if sum(size > 1 for size in sizes) > 1 and prod(sizes) < fewest:
                best, fewest = separators, prod(sizes)
    return best


def _columns(names: Sequence[str], separators: Sequence[str]) -> list[tuple[str, ...]] | None:
    """The values of each field in all names, without separators; None if some have another number of these, or there
    are none."""
    if not separators:
        return None
    together = "\n".join(names)
    for other in separators:
        together = together.replace(other, separators[0])
    rows = [row.split(separators[0]) for row in together.split("\n")]
    if len(rows) != len(names) or set(map(len, rows)) != {len(separators) + 1}:
        return None
    return list(zip(*rows, strict=True))
