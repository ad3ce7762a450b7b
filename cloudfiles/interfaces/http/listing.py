"""Directories of web servers: parsing the index pages that servers generate, and walking the directory tree.

This module uses no sockets: pages are passed as bytes, and `DirectoryLister` gets a function that fetches them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from html.parser import HTMLParser
from itertools import islice
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from cloudfiles.exceptions import UnsupportedOperationError
from cloudfiles.interfaces.tree_walk import page_of
from cloudfiles.key_order import order_of
from cloudfiles.transport.wire import is_framed
from cloudfiles.types import ListEntry, ListPage

PAGE_ENTRIES = 1000
"""Number of entries after which a page of a listing ends at the next directory."""

MAX_DEPTH = 64
"""Maximum depth of directories; deeper ones are links that lead back."""

MAX_ALIKE = 8
"""Maximum number of nested directories with the same entries, including sizes and times. If two links in each lead
back, the number of paths doubles with each level."""

CADDY_LIMIT = 10_000
"""Number of entries after which Caddy silently truncates an index (`file_limit` of its `browse`)."""

_TITLES = re.compile(r"\s*(?:index of |index for |directory listing|directory: |listing of )", re.IGNORECASE)
_SORTING = re.compile(r"C=[NMSD];O=[AD]$|sort=\w+&order=(?:asc|desc)$")
# "20-Nov-2026 19:19    5000": digits alone are bytes, while rounded sizes have a unit.
_DATE_AND_SIZE = re.compile(r"([\w-]+\s\d{2}:\d{2}(?::\d{2})?)(?:\s+(\d+)?(?=\s|$))?")


class Link(NamedTuple):
    """A file or directory in an index page. `name` is decoded and has no slash."""

    name: str
    is_directory: bool
    size: int | None = None  # bytes; None if the page rounds or omits it
    last_modified: str | None = None

    @property
    def segment(self) -> str:
        return self.name + "/" if self.is_directory else self.name


# ---- one page


def parse_index(content: bytes, headers: Mapping[str, str], target: str) -> list[Link] | None:
    """The files and directories in an index page, each once; None if it is not an index page.

    Args:
        headers: the response headers, with names in lower case.
        target: the request target; only entries directly below it are used.

    Raises:
        UnsupportedOperationError: the server has truncated the page.
    """
    if "html" not in headers.get("content-type", ""):
        return None
    parser = _IndexParser(target.partition("?")[0])
    parser.feed(content.decode("utf-8", "surrogateescape"))
    parser.close()
    if not parser.is_index:
        return None
    if len(parser.links) >= CADDY_LIMIT and "caddy" in headers.get("server", "").lower():
        raise UnsupportedOperationError(
            f"the index of {target} has {len(parser.links)} entries, the limit at which Caddy truncates it: "
            "raise file_limit in its 'file_server { browse { file_limit N } }'")
    return list(parser.links.values())


def is_complete(content: bytes, headers: Mapping[str, str]) -> bool:
    """Whether an HTML page is complete: its length was announced, or it ends with its closing tag.

    That is `</html>`, or `</pre>` for pages that consist of nothing else (Go's http.FileServer).
    """
    if is_framed(headers):
        return True
    page = content.lower()
    return page.rfind(b"</html>" if b"<html" in page else b"</pre>") > page.rfind(b"<a")


class _IndexParser(HTMLParser):
    """Collects the links below one directory, and the text next to each of them."""

    _ENDS_ROW = frozenset({"tr", "li", "pre", "ul", "table", "hr", "body"})

    def __init__(self, directory: str) -> None:
        super().__init__(convert_charrefs=True)
        self.links: dict[str, Link] = {}
        self._directory = _segments(directory)
        self._heading = False
        self._titled = False
        self._sorted = False
        self._bare = True  # nothing but <pre> and links: Go's http.FileServer
        self._pre = False
        self._in_link = False
        self._row: str | None = None  # the link of the current row
        self._text = ""
        self._in_size = False

    @property
    def is_index(self) -> bool:
        """Whether the page is an index, judged by its title, by sorting links, or because it contains links only."""
        return self._titled or self._sorted or (self._bare and self._pre)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        if tag == "a":
            self._in_link = True
            self._link(values.get("href", ""))
        elif tag in ("title", "h1"):
            self._heading = True
        elif tag == "size":
            self._in_size = True
        elif tag == "time":
            self._note(last_modified=values.get("datetime"))
        elif tag == "hr":
            self._end_row()
        if values.get("data-size", "").isdecimal():
            self._note(size=int(values["data-size"]))
        self._pre |= tag == "pre"
        self._bare &= tag in ("a", "pre", "meta")

    def handle_endtag(self, tag: str) -> None:
        if tag == "a":
            self._in_link = False
        elif tag in ("title", "h1"):
            self._heading = False
        elif tag == "size":
            self._in_size = False
        elif tag in self._ENDS_ROW:
            self._end_row()
        elif tag == "td":
            self._text += " "

    def handle_data(self, data: str) -> None:
        if self._heading and _TITLES.match(data):
            self._titled = True
        if self._in_size and data.strip().isdecimal():
            self._note(size=int(data))
        elif not self._in_link:
            self._text += data
            self._bare &= not data.strip()

    def close(self) -> None:
        super().close()
        self._end_row()

    def _link(self, href: str) -> None:
        if _SORTING.search(href):
            self._sorted = True
        found = _below(self._directory, href)
        if found is None or found.segment != self._row:
            self._end_row()
        if found is not None:
            self.links.setdefault(found.segment, found)
            self._row = found.segment

    def _end_row(self) -> None:
        match = _DATE_AND_SIZE.search(self._text) if self._row is not None else None
        if match is not None:
            self._note(last_modified=match[1], size=int(match[2]) if match[2] else None)
        self._row = None
        self._text = ""

    def _note(self, *, size: int | None = None, last_modified: str | None = None) -> None:
        """Text of the current row about its link; the first value counts."""
        if self._row is None:
            return
        link = self.links[self._row]
        size = link.size if link.size is not None or link.is_directory else size
        self.links[self._row] = link._replace(size=size, last_modified=link.last_modified or last_modified)


def _segments(path: str) -> list[str]:
    return [unquote(segment, errors="surrogateescape") for segment in path.split("/")]


def _below(directory: list[str], href: str) -> Link | None:
    """The file or directory directly below `directory` that `href` refers to; None if it leads elsewhere."""
    try:
        parts = urlsplit(href)
    except ValueError:
        return None
    # Absolute URLs are ignored: index pages do not use them for entries of the directory.
    if parts.scheme or parts.netloc or parts.query or parts.fragment or not parts.path:
        return None
    segments = _segments(parts.path)
    if not parts.path.startswith("/"):
        segments = directory[:-1] + [segment for segment in segments[:-1] if segment != "."] + segments[-1:]
    depth = len(directory) - 1
    if segments[:depth] != directory[:-1] or len(segments) == depth:
        return None
    name, *rest = segments[depth:]
    if rest not in ([], [""]) or name in ("", ".", "..") or "/" in name:
        return None
    return Link(name, bool(rest))


# ---- many pages


class DirectoryLister:
    """Walks directories depth first and in key order (UTF-8), so that one key describes its position.

    Args:
        fetch: returns the links of a directory ('' or with a trailing '/'), or None if it is missing.

    Attributes:
        fetched: number of directories fetched so far.
    """

    def __init__(self, fetch: Callable[[str], list[Link] | None]) -> None:
        self._fetch = fetch
        self.fetched = 0

    def page(self, prefix: str, flat: bool, after: str, limit: int | None) -> ListPage:
        """The entries after the key `after`: `limit` of them, or PAGE_ENTRIES and the rest of the directory."""
        walk = self._walk(prefix, flat, after, ())
        items = list(islice(walk, PAGE_ENTRIES if limit is None else limit))
        fetched = self.fetched
        following = next(walk, None)
        while limit is None and following is not None and self.fetched == fetched:
            items.append(following)
            following = next(walk, None)
        return page_of(items, has_more=following is not None)

    def _walk(self, prefix: str, flat: bool, after: str, above: tuple[list[Link], ...]) -> Iterator[ListEntry | str]:
        """Objects, and common prefixes as str, that start with `prefix` and come after `after`.

        above: the entries of the parent directories.
        """
        directory = prefix[: prefix.rfind("/") + 1]
        if len(above) > MAX_DEPTH:
            raise UnsupportedOperationError(f"{directory!r} is {len(above)} directories deep: probably a link that "
                                            "leads back to a parent")
        self.fetched += 1
        start = order_of(after)
        links = self._fetch(directory) or []
        if above.count(links) >= MAX_ALIKE:
            raise UnsupportedOperationError(f"{directory!r} and {MAX_ALIKE} directories above it have the same "
                                            "entries: a link that leads back to a parent, or the same page for every "
                                            "URL")
        for link in sorted(links, key=lambda link: order_of(link.segment)):
            key = directory + link.segment
            behind = order_of(key) > start
            if not key.startswith(prefix):
                continue
            if not link.is_directory:
                if behind:
                    yield ListEntry(key, link.size, None, link.last_modified)
            elif flat:
                if behind:
                    yield key
            elif behind or after.startswith(key):
                yield from self._walk(key, False, after, (*above, links))
