"""zarr's own random sequences of operations, on a `CloudStore` and on its `MemoryStore`, with the same results."""

from __future__ import annotations

import pytest

pytest.importorskip("zarr", minversion="3.1")
pytest.importorskip("numpy")

from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test
from zarr.testing.stateful import ZarrHierarchyStateMachine, ZarrStoreStateMachine

from cloudfiles.zarr import CloudStore
from tests.conformance.stores import StoreUnderTest
from tests.selection import examples


def _settings(count: int) -> settings:
    return settings(max_examples=max(2, examples(count)), stateful_step_count=20, deadline=None,
                    phases=(Phase.explicit, Phase.generate, Phase.shrink), suppress_health_check=list(HealthCheck))


def test_keys_and_values(place: StoreUnderTest) -> None:
    run_state_machine_as_test(lambda: ZarrStoreStateMachine(CloudStore(place.cloudpath, **place.options)),
                              settings=_settings(10))


@pytest.mark.filterwarnings("ignore::zarr.core.dtype.common.UnstableSpecificationWarning")
def test_groups_and_arrays(place: StoreUnderTest) -> None:
    run_state_machine_as_test(lambda: ZarrHierarchyStateMachine(CloudStore(place.cloudpath, **place.options)),
                              settings=_settings(5))
