"""Globs in paths: `*` and `?` within one directory, `**` across directories, `[abc]` and `[!abc]`."""

from __future__ import annotations

import re

_MAGIC = re.compile(r"[*?\[]")


def is_glob(path: str) -> bool:
    """Whether a path contains characters of a glob."""
    return _MAGIC.search(path) is not None


def split_glob(path: str) -> tuple[str, str]:
    """The directory before the first component with a glob, without its '/', and the rest.

    >>> split_glob("bucket/a/b*/c")
    ('bucket/a', 'b*/c')
    """
    magic = _MAGIC.search(path)
    assert magic is not None
    directory, _, _ = path[:magic.start()].rpartition("/")
    return directory, path[len(directory):].lstrip("/") if directory else path


def literal_prefix(pattern: str) -> str:
    """What every match starts with.

    >>> literal_prefix("b*/c")
    'b'
    """
    magic = _MAGIC.search(pattern)
    return pattern if magic is None else pattern[:magic.start()]


def compiled(pattern: str) -> re.Pattern[str]:
    """The regular expression that matches whole paths like `pattern`.

    >>> bool(compiled("a/*.txt").fullmatch("a/x.txt")), bool(compiled("a/*.txt").fullmatch("a/b/x.txt"))
    (True, False)
    >>> bool(compiled("**/x.txt").fullmatch("x.txt")), bool(compiled("a/**").fullmatch("a/b/c"))
    (True, True)
    """
    parts, at = [], 0
    while at < len(pattern):
        if pattern.startswith("**/", at) and (at == 0 or pattern[at - 1] == "/"):
            parts.append("(?:.*/)?")
            at += 3
        elif pattern.startswith("**", at):
            parts.append(".*")
            at += 2
        else:
            part, at = _component(pattern, at)
            parts.append(part)
    return re.compile("".join(parts), re.DOTALL)


def _component(pattern: str, at: int) -> tuple[str, int]:
    """The regular expression of the character or set at `at`, and where the next one begins."""
    character = pattern[at]
    if character == "*":
        return "[^/]*", at + 1
    if character == "?":
        return "[^/]", at + 1
    end = pattern.find("]", at + 2 + pattern.startswith("!", at + 1)) if character == "[" else -1
    if end < 0:
        return re.escape(character), at + 1
    inside = pattern[at + 1:end].replace("\\", "\\\\").replace("[", "\\[").replace("&&", "&\\&").replace("~~", "~\\~")
    return f"[{'^' + inside[1:] if inside.startswith('!') else inside}]", end + 1
