"""docs/design.md names files and directories that exist."""

import re
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]
DESIGN = (PROJECT / "docs" / "design.md").read_text(encoding="utf-8")
LAYERS = DESIGN.split("```text\n", 1)[1].split("```", 1)[0]
FILES = {path.relative_to(PROJECT).as_posix()
         for root in ("cloudfiles", "benchmarks", "tests") for path in (PROJECT / root).rglob("*.py")}


@pytest.mark.parametrize("name", sorted(set(re.findall(r"[\w/]+\.py\b", DESIGN))))
def test_files_exist(name: str) -> None:
    assert any(path == name or path.endswith(f"/{name}") for path in FILES), f"there is no {name}"


@pytest.mark.parametrize("name", sorted(set(re.findall(r"\b(\w+)/(?=[\s,;:])", LAYERS))))
def test_directories_exist(name: str) -> None:
    assert any(f"/{name}/" in f"/{path}" for path in FILES), f"there is no directory {name}"


def test_ground_modules_exist() -> None:
    modules = re.findall(r"\w+", LAYERS.split("no clock)", 1)[1])
    assert modules
    assert [module for module in modules if f"cloudfiles/{module}.py" not in FILES] == []


def test_every_package_belongs_to_a_layer() -> None:
    packages = {path.split("/")[1] for path in FILES if path.startswith("cloudfiles/") and path.count("/") > 1}
    assert [package for package in sorted(packages) if f"{package}/" not in LAYERS] == []
