"""What to install is said where a library is missing."""

from __future__ import annotations

import importlib
import sys

import pytest

from cloudfiles.exceptions import MissingExtraError


@pytest.mark.parametrize(("module", "library", "extra"), [
    ("cloudfiles.zarr", "zarr", "zarr"), ("cloudfiles.arrow", "pyarrow", "arrow")])
def test_missing_library(module: str, library: str, extra: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, module, raising=False)
    for name in [name for name in sys.modules if name.partition(".")[0] == library]:
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(MissingExtraError, match=rf"cloudfiles\[{extra}\]"):
        importlib.import_module(module)
