"""The tests that the guide shows are run by pytest, as its readers would run them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.docs import examples

GUIDE = Path(__file__).parents[2] / "docs" / "guide" / "testing.md"


def test_the_example_of_fixtures(tmp_path: Path) -> None:
    shown = [block.code for block in examples.blocks(GUIDE) if "@pytest.fixture" in block.code]
    assert len(shown) == 1
    (tmp_path / "test_example.py").write_text(shown[0])
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    ended = subprocess.run([sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"], cwd=tmp_path,
                           capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "2 passed" in ended.stdout
