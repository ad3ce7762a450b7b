"""Timeouts of other libraries, long enough for a machine whose cores are all busy."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

_DASK = {"distributed.comm.timeouts.connect": "150s", "distributed.comm.timeouts.tcp": "150s"}


@contextmanager
def patient_dask() -> Iterator[None]:
    """While dask is started: its worker processes have 30 seconds to answer unless told otherwise, of which importing
    it takes two on an idle core. It need not be imported yet, or installed."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in _DASK.items():
            patch.setenv("DASK_" + name.replace(".", "__").upper(), value)  # read when it is imported
        config = sys.modules.get("dask.config")
        if config is None:
            yield
            return
        with config.set(_DASK):
            yield
