"""A module imports only from its own layer and from those below it, inside functions too (docs/design.md)."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import cloudfiles

LAYERS = (  # from the lowest; what is not named is the ground
    ("transport", "runtime"),
    ("interfaces", "credentials"),
    ("monitoring",),
    ("batch", "workers"),
    ("transfer",),
    ("file_objects",),
    ("cloudfiles", "cloudfile", "verbs", "datalake"),
    ("aio", "arrow", "bucket", "cli", "files", "filesystem", "functions", "secrets", "store", "tasks", "testing",
     "zarr"),
)

ROOT = Path(cloudfiles.__file__).parent


def layer_of(module: str) -> int:
    name = module.split(".")[1]
    return next((number for number, names in enumerate(LAYERS, 1) if name in names), 0)


def imports_of(node: ast.AST) -> Iterator[str]:
    """What is imported anywhere below the node, except for annotations."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and isinstance(child.test, ast.Name) and child.test.id == "TYPE_CHECKING":
            continue
        if isinstance(child, ast.Import):
            yield from (alias.name for alias in child.names)
        elif isinstance(child, ast.ImportFrom) and child.module == "cloudfiles":
            yield from (f"cloudfiles.{alias.name}" for alias in child.names)
        elif isinstance(child, ast.ImportFrom):
            yield child.module or ""
        else:
            yield from imports_of(child)


def test_imports_go_down() -> None:
    found = set()
    for path in ROOT.rglob("*.py"):
        module = "cloudfiles." + ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        if module == "cloudfiles.__init__":  # resolves the public names when they are first used
            continue
        found |= {(module, name) for name in imports_of(ast.parse(path.read_text()))
                  if name.startswith("cloudfiles.") and layer_of(name) > layer_of(module)}
    assert found == set()
