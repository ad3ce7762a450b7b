"""Python blocks of a Markdown page, run one after the other as one program.

A bare expression with a comment behind it on its line is checked: the comment is the value's repr, or what
`print` prints. A block behind `<!-- needs: MODULE -->` is left out where that module is not installed.
"""

from __future__ import annotations

import ast
import importlib.util
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_BLOCK = re.compile(r"(?:^<!-- needs: (?P<needs>[\w.]+) -->\n+)?^```python\n(?P<code>.*?)^```$",
                    re.MULTILINE | re.DOTALL)
_COMMENT = re.compile(r"  # (?P<value>\S.*)$")


@dataclass(frozen=True)
class Block:
    """A block of code, and the line of the page on which it begins."""

    code: str
    line: int
    needs: str | None

    @property
    def runs_here(self) -> bool:
        return self.needs is None or importlib.util.find_spec(self.needs) is not None


def blocks(page: Path) -> Iterator[Block]:
    text = page.read_text(encoding="utf-8")
    for match in _BLOCK.finditer(text):
        yield Block(match["code"], text.count("\n", 0, match.start("code")), match["needs"])


def run(page: Path, replaced: Mapping[str, str]) -> int:
    """Run the blocks of a page, with some texts replaced; gives how many values were checked.

    Raises AssertionError where a value is not the one that the page shows.
    """
    names: dict[str, Any] = {"__name__": "__main__"}
    checked = 0
    for block in blocks(page):
        if block.runs_here:
            code = block.code
            for text, by in replaced.items():
                code = code.replace(text, by)
            checked += _run(code, page.name, block.line, names)
    return checked


def _run(code: str, page: str, line: int, names: dict[str, Any]) -> int:
    lines = code.splitlines()
    checked = 0
    for statement in ast.parse(code, page).body:
        shown = _COMMENT.search(lines[(statement.end_lineno or 0) - 1])
        ast.increment_lineno(statement, line)
        if shown is None or not isinstance(statement, ast.Expr):
            exec(compile(ast.Module([statement], []), page, "exec"), names)
            continue
        show, expression = _shown(statement.value)
        value = show(eval(compile(ast.Expression(expression), page, "eval"), names))
        assert value == shown["value"], f"{page}:{statement.lineno} shows {shown['value']}, and it is {value}"
        checked += 1
    return checked


def _shown(expression: ast.expr) -> tuple[Any, ast.expr]:
    """How a value is shown, and the expression that gives it."""
    if isinstance(expression, ast.Call) and isinstance(expression.func, ast.Name) and expression.func.id == "print":
        return str, expression.args[0]
    return repr, expression
