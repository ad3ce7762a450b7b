"""The names and sizes of the directories ahead of a listing, known or probable, which tell where it can be split.

The names in one directory of each depth are known, from a page or by a request. Those in other directories of that
depth are probably the same, as for the days of a month and the rows of a grid. So the path of a directory is a number,
whose digits are the names at each depth, and the directory that comes so many directories later is found by addition.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right

from cloudfiles.batch.key_scale import KeyScale, directory_at
from cloudfiles.types import ListPage
from cloudfiles.values import NamedTuple

_FINE = 8
"""Directories are small enough to be counted if a range has this many."""

_LARGE = 3
"""Directories that probably fill more ranges than this are split inside."""

_UNLIKE = 2
"""A directory that has already this many times as many keys as others is split inside."""

_MEAN_OF = 4
"""Number of directories that begin on a page for their mean size to be exact enough."""

_DECAY = 0.9
"""What remains of the weight of a directory in their mean size, after each further one."""


class _Names(NamedTuple):
    """The names of subdirectories in `directory`, in order, each with a '/' at its end.

    is_complete: whether no names follow.
    """

    directory: str
    names: list[str]
    is_complete: bool


class DirectoryOutline:
    """What is known of the directories of each depth: the number of slashes in their names, also in '', the root.

    Attributes:
        is_requested: whether names are being requested.
    """

    def __init__(self) -> None:
        self.is_requested = False
        self._names: dict[int, _Names] = {}  # by depth of the directory that contains them
        self._weights: dict[int, tuple[float, float]] = {}  # by the same: keys, and directories that began among them
        self._inside: dict[int, int] = {}  # by the same: keys on pages since, on which none began

    # ---- what is known

    def add(self, directory: str, page: ListPage) -> None:
        """Add the names that were requested for a directory."""
        self.is_requested = False
        names = sorted(name[len(directory):] for name in page.prefixes)
        self._names[directory.count("/")] = _Names(directory, names, page.next_token is None)

    def learn(self, scale: KeyScale) -> None:
        """Add the names in directories that a page has as a whole, and drop those that it shows to be wrong."""
        keys, middle = scale.keys, scale.keys[len(scale.keys) // 2]
        for depth, known in list(self._names.items()):
            last = directory_at(keys[-1], depth + 1)
            if last and not last.startswith(known.directory) and last.rsplit("/", 2)[-2] + "/" not in known.names:
                del self._names[depth]
        for depth in range(middle.count("/")):
            self._weigh(depth, scale.directory_starts(depth + 1), scale.count)
        for depth in range(middle.count("/"), 0, -1):
            directory = directory_at(middle, depth)
            assert directory is not None
            if keys[0].startswith(directory) or keys[-1].startswith(directory):
                break
            inside = keys[bisect_left(keys, directory):bisect_left(keys, directory[:-1] + "0")]
            names = dict.fromkeys(key[len(directory):key.find("/", len(directory)) + 1] for key in inside)
            names.pop("", None)
            if names:
                self._names[depth] = _Names(directory, list(names), is_complete=True)

    def _weigh(self, depth: int, starts: list[int], count: int) -> None:
        """Add the keys of a page to the mean size of directories.

        Those of pages in the middle of a large directory count when another one begins: until then they say nothing of
        other directories, nor of how much is left of this one. Before a second directory has begun, they are all that
        is known.
        """
        self._inside[depth] = self._inside.get(depth, 0) + count
        keys, directories = self._weights.get(depth, (0.0, 0.0))
        if starts or directories < 1:
            begun = len(starts) - (0.5 if starts[:1] == [0] else 0.0)  # the page begins with it, the last one is cut
            self._weights[depth] = keys * _DECAY + self._inside.pop(depth), directories * _DECAY + begun

    def missing(self, directory: str, position: str, prefix: str, *, refresh: bool) -> tuple[str, str | None] | None:
        """`directory`, or the innermost one around it, whose names are not known, and the position after which to
        request them; None if there is none with this prefix.

        refresh: names that are probable only are not enough, and if there were too many, those after `position` are
            wanted.
        """
        while position.startswith(directory) and len(directory) >= len(prefix):
            known = self._names.get(directory.count("/"))
            if known is None or (refresh and known.directory != directory):
                return directory, None
            rest = position[len(directory):]
            if refresh and not known.is_complete and known.names and rest > known.names[-1]:
                return directory, f"{directory}{rest.partition('/')[0]}0"  # '0' is the character after '/'
            if not directory:
                return None
            directory = directory[:directory.rfind("/", 0, -1) + 1]
        return None

    # ---- positions

    def boundary(self, scale: KeyScale, position: str, count: float) -> str | None:
        """A position about `count` keys after `position`, at or in a known directory if there is one. None if it cannot
        be estimated."""
        estimated = scale.beyond(position, count)
        chosen: tuple[int, float] | None = None
        for depth in sorted(self._names, reverse=True):
            each = self._keys_per_directory(scale, depth)
            if each is not None and self._names[depth].names and directory_at(position, depth) is not None and (
                    chosen is None or each * _FINE <= count):
                chosen = depth, each
        if chosen is None:
            return self._next(scale, position, estimated)
        depth, each = chosen
        begun = self._keys_begun(scale, position, depth, each)
        if begun > _UNLIKE * each or each > _LARGE * count:
            return self._next(scale, position, estimated)
        return self._after(position, depth, max(1, int((count + begun) / each))) or estimated

    def _keys_per_directory(self, scale: KeyScale, depth: int) -> float | None:
        """Mean number of keys in the subdirectories of directories of this depth; None if it is not known."""
        starts = scale.directory_starts(depth + 1)
        if len(starts) >= _MEAN_OF:
            return (starts[-1] - starts[0]) / (len(starts) - 1)
        keys, directories = self._weights.get(depth, (0.0, 0.0))
        return keys / directories if directories else None

    def _keys_begun(self, scale: KeyScale, position: str, depth: int, each: float) -> float:
        """How many keys come before a position in its directory, a subdirectory of one of this depth. On other pages
        than that of the scale, this is taken to be at its end."""
        directory = directory_at(position, depth + 1)
        if directory == position:
            return 0.0
        last = scale.keys[-1]
        if directory is None or not last.startswith(directory):
            return each
        return scale.count - bisect_left(scale.keys, directory) + max(0.0, scale.between(last, position))

    def _after(self, position: str, depth: int, steps: int) -> str | None:
        """The directory that is `steps` directories of this depth after that of a position; the last one that is known
        if the names around it are not; None if the next names are not known."""
        ending = last = ""
        while (known := self._names.get(depth)) is not None and known.names:
            directory = directory_at(position, depth)
            if directory is None:
                break
            index = bisect_right(known.names, position[len(directory):]) - 1 + steps
            if index < len(known.names):
                return directory + known.names[index] + ending
            if known.directory == directory and not known.is_complete:
                return None
            last = last or directory + known.names[-1]
            steps, index = divmod(index, len(known.names))
            ending = known.names[index] + ending
            depth -= 1
        return last if last > position else None

    def _next(self, scale: KeyScale, position: str, estimated: str | None) -> str | None:
        """The next directory; the estimated position, if it is before that in a large directory, or none is known."""
        last = ""
        for depth in sorted(self._names, reverse=True):
            known, directory = self._names[depth], directory_at(position, depth)
            if directory is None:
                continue
            rest = position[len(directory):]
            at = bisect_right(known.names, rest)
            if at < len(known.names):
                following = directory + known.names[at]
                own = directory + rest[:rest.find("/") + 1]
                inside = last or (own if scale.keys[-1].startswith(own) else following)
                return estimated if estimated is not None and inside < estimated < following else following
            if known.names and known.is_complete:
                last = directory + known.names[-1]  # nothing follows it in this directory
        return estimated
