"""Symlinks in a tree that is listed."""

from __future__ import annotations

import itertools
import os

from cloudfiles import logger

_SHOWN = 5
"""Maximum number of symlinks that are named in the log."""


class Symlinks:
    """Which symlinks below a root are followed, and which were skipped."""

    def __init__(self, root: str, follow_external: bool) -> None:
        self._root = root
        self._follow_external = follow_external
        self._real_root = ""
        self._skipped: dict[str, None] = {}
        self._new: list[str] = []

    def is_followed(self, path: str) -> bool:
        """Whether the target of this path is inside of the root, or need not be."""
        if self._follow_external:
            return True
        if not self._real_root:
            self._real_root = os.path.join(os.path.realpath(self._root), "")
        return os.path.join(os.path.realpath(path), "").startswith(self._real_root)

    def leads_inside(self, above: str) -> bool:
        """Whether the directory of a prefix is inside of the root. If not, the symlink is skipped."""
        if self._follow_external or not above or self.is_followed(self._root + above):
            return True
        names = above[:-1].split("/")
        paths = ("/".join(names[:count]) for count in range(1, len(names) + 1))
        self.skip(next((path for path in paths if not self.is_followed(self._root + path)), above[:-1]))
        return False

    def skip(self, name: str) -> None:
        if name not in self._skipped:
            self._skipped[name] = None
            self._new.append(name)

    def take_new(self) -> list[str]:
        new, self._new = self._new, []
        return new

    def report(self) -> None:
        """Log the skipped symlinks, once."""
        if self._skipped:
            shown = ", ".join(map(repr, itertools.islice(self._skipped, _SHOWN)))
            logger.warning("%s: skipped %d symlinks that lead out of this directory or to nothing: %s%s. Use "
                           "follow_external_symlinks=True to follow those that lead elsewhere", self._root,
                           len(self._skipped), shown, ", ..." if len(self._skipped) > _SHOWN else "")
            self._skipped = {}
