"""Globs over a store: only what a pattern can match is listed.

The literal beginning of a pattern is passed on to the store. A pattern with wildcards in one level lists that level
only. With wildcards in several levels, the directories of each level are listed at the same time while there are few
of them; otherwise, everything below the literal beginning is listed at once.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from glob import has_magic

from fsspec.utils import glob_translate

from cloudfiles.filesystem.listings import Entry, contents, contents_of_many, tree
from cloudfiles.filesystem.names import Place

_FEW_DIRECTORIES = 16
"""Directories that are listed one by one, instead of everything at once."""

_MAGIC = re.compile(r"[*?\[]")


def glob_entries(place: Place, pattern: str, *, maxdepth: int | None = None, only_directories: bool = False
                 ) -> Iterator[Entry]:
    """The files and directories whose names match a pattern with wildcards.

    Args:
        pattern: a name, with wildcards below the bucket, and without a '/' at its end.
        maxdepth: the number of levels that the first '**' may span.
        only_directories: match directories only, as a pattern that ends with '/' does.
    """
    match = re.compile(glob_translate(pattern + ("/" if only_directories else ""))).match
    marks_directories = only_directories or pattern.endswith("/**")
    for entry in _candidates(place, place.key(pattern), maxdepth):
        name = entry[0]
        if match(name + "/" if marks_directories and entry[1] is None else name):
            yield entry


def _candidates(place: Place, pattern: str, maxdepth: int | None) -> Iterable[Entry]:
    """Everything that a pattern for keys can match, and more."""
    magic = _MAGIC.search(pattern)
    assert magic is not None
    directory, _, beginning = pattern[:magic.start()].rpartition("/")
    levels = pattern[len(directory) + 1 if directory or pattern[:1] == "/" else 0:].split("/")
    depth = len(levels)
    if "**" in pattern:
        # A limit applies to the first '**', as in fsspec.
        first = next(number for number, level in enumerate(levels) if "**" in level)
        depth_limit = None if maxdepth is None else first + maxdepth
        name = place.name(directory)
        own: list[Entry] = [(name, None)] if name and not beginning else []
        return _with_own(own, tree(place, directory, beginning, depth_limit))
    if depth == 1:
        return contents(place, directory, beginning)[1]
    return _by_levels(place, directory, beginning, levels)


def _with_own(own: list[Entry], below: Iterator[Entry]) -> Iterator[Entry]:
    """The directory itself as well, which `directory/**` matches, if there is anything in it."""
    for entry in below:
        yield from own
        own = []
        yield entry


def _by_levels(place: Place, directory: str, beginning: str, levels: list[str]) -> Iterator[Entry]:
    """Level by level, while there are few directories or the store is local."""
    level = contents(place, directory, beginning)[1]
    prefix = place.name(directory) + "/" if directory else place.prefix
    for depth in range(1, len(levels)):
        matches = re.compile(glob_translate(prefix + "/".join(levels[:depth]))).match
        chosen = [place.key(name) for name, entry in level if entry is None and matches(name)]
        if len(chosen) > _FEW_DIRECTORIES and not place.cf._store.is_local:
            yield from tree(place, directory, beginning, len(levels))
            return
        wanted = levels[depth]
        literal = wanted[:_MAGIC.search(wanted).start()] if has_magic(wanted) else wanted  # type: ignore[union-attr]
        level = [entry for _, found in contents_of_many(place, chosen, literal) for entry in found]
    yield from level
