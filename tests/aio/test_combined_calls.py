"""Calls that are made at the same time are one batch, and yet independent of each other."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from cloudfiles.aio.combined_calls import CombinedCalls


class Batches:
    """Notes the batches, and fails as a whole if one has an item below zero."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.ended = 0

    async def run(self, items: list[int]) -> list[Any]:
        self.batches.append(items)
        await self.gate.wait()
        if any(item < 0 for item in items):
            raise ValueError(f"of {items}")
        self.ended += 1
        return [KeyError(item) if item == 13 else item * 2 for item in items]


def test_calls_of_one_iteration_are_one_batch() -> None:
    async def main() -> None:
        batches = Batches()
        call = CombinedCalls(batches.run)
        assert await asyncio.gather(*map(call, range(5))) == [0, 2, 4, 6, 8]
        assert await call(7) == 14
        assert batches.batches == [[0, 1, 2, 3, 4], [7]]

    asyncio.run(main())


def test_a_failure_is_that_of_its_item() -> None:
    async def main() -> None:
        batches = Batches()
        call = CombinedCalls(batches.run)
        first, second, third = await asyncio.gather(call(1), call(13), call(2), return_exceptions=True)
        assert (first, third) == (2, 4)
        assert isinstance(second, KeyError)
        first, second, third = await asyncio.gather(call(1), call(-1), call(2), return_exceptions=True)
        assert (first, third) == (2, 4)
        assert isinstance(second, ValueError)
        assert str(second) == "of [-1]"

    asyncio.run(main())


def test_cancelling() -> None:
    async def main() -> None:
        batches = Batches()
        batches.gate.clear()
        call = CombinedCalls(batches.run)
        early = asyncio.ensure_future(call(0))
        await asyncio.sleep(0)
        early.cancel()  # before the batch has started
        tasks = [asyncio.ensure_future(call(number)) for number in range(1, 4)]
        for _ in range(3):
            await asyncio.sleep(0)
        assert batches.batches == [[1, 2, 3]]
        tasks[0].cancel()
        for _ in range(5):
            await asyncio.sleep(0)
        assert not tasks[0].done()  # the batch could still change something
        batches.gate.set()
        assert await asyncio.gather(*tasks[1:]) == [4, 6]
        with pytest.raises(asyncio.CancelledError):
            await tasks[0]

        batches.gate.clear()
        tasks = [asyncio.ensure_future(call(number)) for number in range(1, 4)]
        for _ in range(3):
            await asyncio.sleep(0)
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        assert all(task.cancelled() for task in (*tasks, early))
        assert batches.ended == 1

    asyncio.run(main())


def test_limit() -> None:
    async def main() -> None:
        batches = Batches()
        batches.gate.clear()
        limit = 3
        call = CombinedCalls(batches.run, lambda: limit)
        tasks = [asyncio.ensure_future(call(number)) for number in range(10)]
        for _ in range(3):
            await asyncio.sleep(0)
        assert batches.batches == [[0, 1, 2]]
        tasks[3].cancel()
        tasks.append(asyncio.ensure_future(call(10)))
        for _ in range(3):
            await asyncio.sleep(0)
        assert batches.batches == [[0, 1, 2]]
        limit = 5
        batches.gate.set()
        del tasks[3]
        assert await asyncio.gather(*tasks) == [0, 2, 4, 8, 10, 12, 14, 16, 18, 20]
        assert [item for batch in batches.batches for item in batch] == [0, 1, 2, 4, 5, 6, 7, 8, 9, 10]
        assert max(map(len, batches.batches)) == 5

    asyncio.run(main())


def test_several_loops_at_once() -> None:
    """As threads of a program have: a limit that is reached in one does not stop the others."""
    batches = Batches()
    call = CombinedCalls(batches.run, lambda: 2)

    async def main() -> list[int]:
        return list(await asyncio.gather(*map(call, range(5))))

    with ThreadPoolExecutor(4) as executor:
        assert list(executor.map(lambda _: asyncio.run(main()), range(20))) == [[0, 2, 4, 6, 8]] * 20
