"""The names of the next directories of a listing, which tell where it can be split."""

from __future__ import annotations

from bisect import bisect_right

from cloudfiles.batch.key_scale import KeyScale
from cloudfiles.types import ListPage


class DirectoryOutline:
    """The names of directories that are ahead, as far as they were requested."""

    def __init__(self) -> None:
        self.is_requested = False
        self._names: dict[str, list[str]] = {}  # by directory; those of the last request for it
        self._complete: set[str] = set()

    def add(self, directory: str, page: ListPage) -> None:
        self.is_requested = False
        for other in [each for each in self._names if not directory.startswith(each)]:
            del self._names[other]
        self._names[directory] = sorted(page.prefixes)
        self._complete = {each for each in self._complete if each in self._names}
        if page.next_token is None:
            self._complete.add(directory)

    def missing(self, directory: str, position: str, prefix: str) -> str | None:
        """`directory`, or the innermost one around it, whose next names after `position` are not known but may exist;
        None if there is none with this prefix."""
        while position.startswith(directory) and len(directory) >= len(prefix):
            names = self._names.get(directory)
            if names is None or (names and position > names[-1] and directory not in self._complete):
                return directory
            if not directory or (names and position < names[-1]):
                return None
            directory = directory[:directory.rfind("/", 0, -1) + 1]
        return None

    def boundary(self, scale: KeyScale, position: str, count: float) -> str | None:
        """A position about `count` keys after `position`, at or in a known directory; None if none is known."""
        estimated = scale.beyond(position, count)
        last = ""
        for directory in sorted(self._names, key=len, reverse=True):
            names = self._names[directory]
            at = bisect_right(names, position)
            if not position.startswith(directory):
                continue
            if at < len(names):
                each = scale.keys_per_directory(directory)
                if each is None:  # in a large directory
                    own = position[:position.find("/", len(directory)) + 1] or directory
                    is_inside = estimated is not None and estimated < names[at] and estimated.startswith(last or own)
                    return estimated if is_inside else names[at]
                start = at - 1 if at and names[at - 1] == position else at
                chosen = min(len(names) - 1, start + max(1, int(count / each)))
                return _refined(names, at, chosen, estimated)
            if names and directory in self._complete:
                last = names[-1]  # nothing follows it in this directory
        return None


def _refined(names: list[str], at: int, chosen: int, estimated: str | None) -> str:
    """The name `chosen`, or an estimated position in a directory next to it."""
    if estimated is not None:
        inside = bisect_right(names, estimated) - 1
        if at <= inside and abs(inside - chosen) <= 1 and estimated.startswith(names[inside]):
            return estimated
    return names[chosen]
