"""The pages of the commands are those that `python docs/command_pages.py` writes."""

from __future__ import annotations

import runpy

from tests.servers import ROOT


def test_pages_are_up_to_date() -> None:
    written = runpy.run_path(str(ROOT / "docs" / "command_pages.py"))
    pages: dict[str, str] = written["pages"]()
    on_disk = {path.name: path.read_text(encoding="utf-8") for path in (ROOT / "docs" / "commands").iterdir()}
    assert on_disk == pages, "run: python docs/command_pages.py"
    assert written["EXAMPLES"].keys() == {name.removesuffix(".md") for name in pages} - {"index"}
