"""Prefix expressions: a few characters of regular expressions that stand for a finite number of prefixes."""

from __future__ import annotations

import itertools
import re

import click

_TOKEN = re.compile(r"\[([^\]]*)\](?:\{(\d+)\})?|\(([^)]*)\)(?:\{(\d+)\})?|\\(.)|(.)", re.DOTALL)
_MOST = 100_000
"""Prefixes that one expression may stand for."""


def expand(expression: str) -> list[str]:
    """All prefixes that an expression stands for, in order: `[abc]` and `[0-9]` are one of the characters, `(ab|cd)` is
    one of the words, `{3}` repeats what is before it. Raises click.UsageError.

    >>> expand("a[12](x|yy)")
    ['a1x', 'a1yy', 'a2x', 'a2yy']
    """
    choices: list[list[str]] = []
    for characters, times, words, word_times, escaped, plain in _TOKEN.findall(expression):
        if escaped or plain:
            choices.append([escaped or plain])
            continue
        options = _characters(characters, expression) if characters or not words else words.split("|")
        choices += [options] * int(times or word_times or 1)
    count = 1
    for options in choices:
        count *= len(options)
    if not 0 < count <= _MOST:
        raise click.UsageError(f"-e: {expression!r} stands for {count} prefixes; expected 1 to {_MOST}")
    return ["".join(parts) for parts in itertools.product(*choices)]


def _characters(inside: str, expression: str) -> list[str]:
    if not inside:
        raise click.UsageError(f"-e: empty set in {expression!r}")
    found: list[str] = []
    for first, last, single in re.findall(r"(.)-(.)|(.)", inside, re.DOTALL):
        if not single and first > last:
            raise click.UsageError(f"-e: {first}-{last} in {expression!r} is not a range of characters")
        found += [single] if single else [chr(code) for code in range(ord(first), ord(last) + 1)]
    return list(dict.fromkeys(found))
