"""Parts of uploads that nobody is going to compose: found by their names, and removed."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from typing import Any

from cloudfiles.interfaces.gs.bucket import GsBucket
from cloudfiles.interfaces.gs.bulk_delete import MAX_BATCH, delete_names
from cloudfiles.interfaces.gs.composite import may_compose
from cloudfiles.interfaces.gs.listing import resources_below
from cloudfiles.interfaces.gs.part_objects import PartName, parts_prefix, parts_prefix_below
from cloudfiles.interfaces.gs.resource import seconds
from cloudfiles.interfaces.part_writer import InterruptedWrites

_FIELDS = "name,updated"


def discard_parts(bucket: GsBucket, prefix: str, before: float) -> int:
    """Remove the parts that interrupted uploads of keys beginning with `prefix` have left.

    before: seconds since the epoch; what was written later may belong to an upload that goes on.
    Gives how many uploads they were of.
    """
    found = resources_below(bucket, parts_prefix_below(bucket.root + prefix), _FIELDS)
    return _remove(bucket, [resource["name"] for resource in found if _seconds(resource) < before])


def discard_interrupted_parts(bucket: GsBucket, interrupted: InterruptedWrites) -> int:
    """Remove the parts of uploads of exactly these keys that were written since, but for those to be gone on with.

    Where uploads may leave no parts there are none, and nothing is asked. Gives how many uploads they were of.
    """
    places = {parts_prefix(bucket.full_name(key)) for key in interrupted.keys if key}
    if not places or not may_compose(bucket, None):
        return 0
    kept = {state.get("upload") for state in interrupted.kept}
    prefix = os.path.commonprefix([*places])  # noqa: RUF071 -- of names, which are no paths
    left = []
    for resource in resources_below(bucket, prefix, _FIELDS):
        part = PartName.parse(resource["name"])
        if (part is not None and part.place in places and part.upload not in kept
                and _seconds(resource) >= interrupted.since):
            left.append(resource["name"])
    return _remove(bucket, left)


def _remove(bucket: GsBucket, names: Sequence[str]) -> int:
    """Delete these parts; gives how many uploads they were of. Raises the first failure."""
    for at in range(0, len(names), MAX_BATCH):
        for error in delete_names(bucket, {name: name for name in names[at:at + MAX_BATCH]}).values():
            raise error
    return len({name.rpartition("/")[0] for name in names})


def _seconds(resource: dict[str, Any]) -> float:
    """When it was written; a time to come where the server does not tell."""
    return seconds(resource["updated"]) if "updated" in resource else math.inf
