"""An object cut into parts of one size, as every writer of parts that are numbered needs it."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass

from cloudfiles.exceptions import InvalidInputError
from cloudfiles.integrity import Buffer


@dataclass(frozen=True, slots=True)
class EvenParts:
    """The parts of an object of `size` bytes: of `part_size` bytes but for the last, and numbered from 1.

    >>> parts = EvenParts("key", 25, 10)
    >>> [(number, parts.start(number), parts.length(number)) for number in parts.numbers]
    [(1, 0, 10), (2, 10, 10), (3, 20, 5)]
    """

    key: str
    size: int
    part_size: int

    @property
    def numbers(self) -> range:
        return range(1, -(-self.size // self.part_size) + 1)

    def start(self, number: int) -> int:
        return (number - 1) * self.part_size

    def length(self, number: int) -> int:
        return min(self.part_size, self.size - self.start(number))

    def number_of(self, start: int, content: Buffer) -> int:
        """The number of the part that begins there. Raises InvalidInputError where `content` is none."""
        number = start // self.part_size + 1
        if start % self.part_size or len(content) != self.length(number):
            raise InvalidInputError(f"{len(content)} bytes at offset {start} are not a part of {self.size} bytes split "
                                    f"into parts of {self.part_size}", path=self.key)
        return number

    def check_complete(self, written: Container[int]) -> None:
        """Raise InvalidInputError unless all numbers are among those written."""
        missing = next((number for number in self.numbers if number not in written), None)
        if missing is not None:
            raise InvalidInputError(f"the part at offset {self.start(missing)} has not been written", path=self.key)
