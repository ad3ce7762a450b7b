"""Stores of each kind for the contract tests of capabilities."""

from __future__ import annotations

from pathlib import Path

import pytest

from cloudfiles import CloudFiles
from tests.facade.capability_stores import KINDS, open_store


@pytest.fixture(params=KINDS)
def cf(request: pytest.FixtureRequest, tmp_path: Path) -> CloudFiles:
    """An empty store of each kind."""
    return open_store(request.param, request, tmp_path)
