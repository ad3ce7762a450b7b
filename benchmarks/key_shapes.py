"""Sets of keys as they occur in buckets, for measurements of listings."""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable, Iterator
from itertools import count, islice


def digits(random: random.Random) -> Iterator[str]:
    """Consecutive numbers."""
    return (f"{number:09d}" for number in count())


def hexadecimal(random: random.Random) -> Iterator[str]:
    """Hashes."""
    return (f"{random.getrandbits(128):032x}" for _ in count())


def uuids(random: random.Random) -> Iterator[str]:
    return (str(uuid.UUID(int=random.getrandbits(128), version=4)) for _ in count())


def dates(random: random.Random) -> Iterator[str]:
    """Directories for each hour, with 40 files each."""
    return (f"logs/{2000 + day // 336}/{day // 28 % 12 + 1:02}/{day % 28 + 1:02}/{hour:02}/host-{host:03}.gz"
            for day in count() for hour in range(24) for host in range(40))


def directories(random: random.Random) -> Iterator[str]:
    """Directories at irregular intervals, with 1 to 2000 files."""
    return (f"train/n{number:08}/{each}.jpg" for number in _steps(random) for each in range(random.randint(1, 2000)))


def unequal(random: random.Random) -> Iterator[str]:
    """A few directories with most of the keys, between many with one or two."""
    for number in _steps(random):
        for each in range(100_000 if number % 97 == 0 else random.randint(1, 2)):
            yield f"run-{number:08}/{each:x}"


def unicode(random: random.Random) -> Iterator[str]:
    """Words in scripts of two to four bytes per character."""
    alphabets = ["abcdefghijäöü", "αβγδεζηθικλμ", "あいうえおかきくけこ", "😀😁😂😃"]
    return ("".join(random.choices(random.choice(alphabets), k=8)) + f" {number}.txt" for number in count())


def deep(random: random.Random) -> Iterator[str]:
    """One directory, far down. Their ends differ, as LuaJIT (`far_store.lua`) hashes only these of long strings."""
    return (f"{'directory with a long name/' * 10}{number:06x}" for number in count())


def chunks(random: random.Random) -> Iterator[str]:
    """The chunks of a volume, with the bounds of each as its name."""
    return (f"8_8_40/{x}-{x + 64}_{y}-{y + 64}_{z}-{z + 64}" for x in count(0, 64) for y in range(0, 6400, 64)
            for z in range(0, 3200, 64))


def _steps(random: random.Random) -> Iterator[int]:
    number = 0
    while True:
        number += random.randint(1, 2000)
        yield number


SHAPES: dict[str, Callable[[random.Random], Iterator[str]]] = {
    "digits": digits, "hexadecimal": hexadecimal, "uuids": uuids, "dates": dates, "directories": directories,
    "unequal": unequal, "unicode": unicode, "deep": deep, "chunks": chunks}


def keys(shape: str, count: int) -> list[str]:
    """So many keys of a shape, in the order in which a store lists them."""
    return sorted(islice(SHAPES[shape](random.Random(1)), count))
