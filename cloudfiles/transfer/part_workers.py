"""The workers of a transfer that copy the parts of large objects, and how many objects are copied at once."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

from cloudfiles.batch.batch_workers import Plan
from cloudfiles.batch.store import share_of
from cloudfiles.interfaces.base import Interface
from cloudfiles.interfaces.part_writer import PART_BYTES
from cloudfiles.runtime.contract import Runtime
from cloudfiles.transport.body_memory import process_copy_memory
from cloudfiles.transport.budget import Budget
from cloudfiles.transport.concurrency.adaptive_width import WorkerShare, fair_share, parts_at_once

_INTERVAL = 0.01
"""Seconds after which a batch asks for its number of workers again."""


class PartWorkers:
    """The workers for the parts of all large objects that are copied between two stores at the same time.

    If the number of workers was given, there are never more, over all objects. Otherwise it is found by the controller
    of the servers, up to what fits PARTS_MEMORY; between local stores, where nothing can be found, it is that of the
    plan.

    Args:
        plan: how the transfer runs.

    Attributes:
        slots: the workers, if their number was given, see `Interface.part_slots`.
    """

    def __init__(self, source: Interface, target: Interface, plan: Plan) -> None:
        self.runtime = plan.runtime
        self._finds_width = plan.share is not None
        self._limit = parts_at_once(PART_BYTES) if self._finds_width else max(1, plan.width)
        self._interfaces = source, target
        self._slots = Budget(self._limit)
        self.slots = None if self._finds_width else self._slots
        self._left: dict[ObjectParts, int] = {}  # parts left of each object whose parts are being copied
        self._expected: dict[ObjectParts, int] = {}  # parts of each object that is about to be copied
        self._objects = self._parts = 0  # so far, as far as they are expected
        self._lock = threading.Lock()  # never held while waiting

    @contextmanager
    def copying(self, size: int | None = None) -> Iterator[ObjectParts]:
        """A block that copies one object. size: in bytes; None: unknown."""
        parts = ObjectParts(self)
        count = 1 if size is None else max(1, -(-size // PART_BYTES))
        with self._lock:
            self._expected[parts] = count
            self._objects += 1
            self._parts += count
        try:
            yield parts
        finally:
            with self._lock:
                self._expected.pop(parts, None)

    def object_plan(self, plan: Plan) -> Plan:
        """How large objects are copied: as many at once as are needed to keep the workers for parts busy."""
        runtime = plan.runtime
        if runtime is None:
            return plan
        return plan._replace(width=1, probe=False, share=lambda: _ObjectShare(self, runtime))

    def objects_at_once(self, now: int) -> int:
        """The number of objects to copy at once, if there are `now` of them."""
        with self._lock:
            if not self._objects:
                return 1  # its size tells how many more
            idle = self._limit - sum(self._left.values()) - sum(self._expected.values())
            return max(1, min(self._limit, now + math.ceil(idle * self._objects / self._parts)))

    # ---- called by ObjectParts

    @contextmanager
    def slot(self, count: int) -> Iterator[None]:
        """A block that copies `count` bytes. It begins when there are a worker and memory for it."""
        if self.runtime is None:
            yield
            return
        # Workers that an object has to give to the next one first copy the parts that they have begun.
        with self._slots.reserved(1, self.runtime), process_copy_memory.reserved(count, self.runtime):
            yield

    def share_of_parts(self, parts: ObjectParts, most: int) -> WorkerShare:
        """The share of the parts of one object in the workers, at most `most`."""
        assert self.runtime is not None
        found = share_of(*self._interfaces, runtime=self.runtime, maximum=most)() if self._finds_width else None
        return _PartShare(self, parts, self.runtime, most, found)

    def workers_for(self, parts: ObjectParts, left: int) -> int:
        """The number of workers for an object that has so many parts left, by what the others have left."""
        with self._lock:
            self._expected.pop(parts, None)
            self._left[parts] = left
            return fair_share(self._limit, self._left.values(), list(self._left).index(parts))

    def expect_one(self, parts: ObjectParts) -> None:
        """The object is copied as a whole."""
        with self._lock:
            self._expected[parts] = 1

    def end(self, parts: ObjectParts) -> None:
        """No parts of the object are left, or it has failed."""
        with self._lock:
            self._left.pop(parts, None)


class ObjectParts:
    """The parts of one large object."""

    def __init__(self, workers: PartWorkers) -> None:
        self._workers = workers
        self._runtime = workers.runtime

    def plan(self, part_size: int, report: Callable[[int], object] | None = None) -> Plan:
        """How parts of `part_size` bytes are copied."""
        if self._runtime is None:
            return Plan(None, report=report)
        most = parts_at_once(part_size)
        return Plan(self._runtime, most, report=report, share=lambda: self._workers.share_of_parts(self, most))

    def slot(self, count: int) -> AbstractContextManager[None]:
        """A block that copies a part of `count` bytes. It begins when there are a worker and memory for it."""
        return self._workers.slot(count)

    def as_one(self) -> None:
        """It is copied as a whole, by one worker."""
        self._workers.expect_one(self)


class _PartShare(WorkerShare):
    """The share of one object's parts in the workers of a transfer, and in those of its servers."""

    def __init__(self, workers: PartWorkers, parts: ObjectParts, runtime: Runtime, most: int,
                 found: WorkerShare | None) -> None:
        super().__init__(tuple, runtime, most)
        self._workers = workers
        self._parts = parts
        self._found = found

    @property
    def interval(self) -> float:
        return _INTERVAL if self._found is None else max(_INTERVAL, self._found.interval)

    def workers(self, now: float, wanted: int, waiting: int = 0) -> int:
        most = min(self.maximum, self._workers.workers_for(self._parts, wanted))
        return most if self._found is None else min(most, self._found.workers(now, min(wanted, most), waiting))

    def leave(self) -> None:
        self._workers.end(self._parts)
        if self._found is not None:
            self._found.leave()


class _ObjectShare(WorkerShare):
    """The number of large objects that are copied at once."""

    def __init__(self, workers: PartWorkers, runtime: Runtime) -> None:
        super().__init__(tuple, runtime, 1)
        self._workers = workers
        self._objects = 1

    @property
    def interval(self) -> float:
        return _INTERVAL

    def workers(self, now: float, wanted: int, waiting: int = 0) -> int:
        self._objects = min(wanted, self._workers.objects_at_once(min(wanted, self._objects)))
        return self._objects

    def leave(self) -> None:
        """There is nothing to return."""
