"""Every Python example in README and docs runs, and shows what it says it shows."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.docs import examples

PROJECT = Path(__file__).parents[2]
PAGES = [PROJECT / "README.md", PROJECT / "CONTRIBUTING.md", *sorted((PROJECT / "docs").rglob("*.md"))]
WITH_EXAMPLES = [page for page in PAGES if any(examples.blocks(page))]


@pytest.mark.parametrize("page", WITH_EXAMPLES, ids=lambda page: str(page.relative_to(PROJECT)))
def test_the_examples_of_a_page(page: Path, world: dict[str, str]) -> None:
    examples.run(page, world)


def test_no_block_is_overlooked() -> None:
    """Each fence that begins a Python block was taken for one."""
    fences = sum(page.read_text(encoding="utf-8").count("```python") for page in PAGES)
    assert fences == sum(len(list(examples.blocks(page))) for page in WITH_EXAMPLES) > 10


def test_a_wrong_value_is_noticed(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("```python\nx = 1\nx + 1  # 2\nprint('a')  # a\n```\n\n```python\nx + 2  # 4\n```\n")
    with pytest.raises(AssertionError, match=r"page\.md:8 shows 4, and it is 3"):
        examples.run(page, {})


def test_files_that_are_named_are_there() -> None:
    for page in PAGES:
        for name in re.findall(r"`((?:tests|cloudfiles|benchmarks)/[\w./]+)`", page.read_text(encoding="utf-8")):
            assert (PROJECT / name).exists(), f"{page.name}: {name}"


def test_links_lead_somewhere() -> None:
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
            if not target.rpartition("/")[2].startswith("benchmarks"):  # made by `python -m benchmarks`
                assert (page.parent / target).exists(), f"{page.name}: {target}"
