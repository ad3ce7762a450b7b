"""How the methods of `AsyncCloudFiles` run those of `CloudFiles`: in the hub, or on a thread."""

from __future__ import annotations

import inspect
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Collection, Coroutine, Iterable, Iterator, Mapping
from contextlib import AsyncExitStack
from functools import partial
from typing import Any, Concatenate, ParamSpec, TypeVar, cast

from cloudfiles.aio.channels import channel_to_hub, channel_to_thread, iterate_in_hub
from cloudfiles.aio.concurrency_limiter import ConcurrencyLimiter
from cloudfiles.aio.executors import dedicated_thread, iterate_in_thread, pool, run_cancellable
from cloudfiles.batch.processes import is_parallel
from cloudfiles.batch.reader import weight
from cloudfiles.batch.writer import is_scalar
from cloudfiles.cloudfiles import CloudFiles
from cloudfiles.inputs import is_path
from cloudfiles.interfaces import interface_class

P = ParamSpec("P")
T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., Any])

_BATCHES = 4
"""Concurrent batches of one store, each with its own workers; further batches wait."""


# ---- methods made from those of CloudFiles


def awaited(verb: Callable[Concatenate[Any, P], T]) -> Callable[Concatenate[Any, P], Coroutine[Any, Any, T]]:
    """A method of `CloudFiles` or `DataLake` as a coroutine method, with the same parameters, overloads and result."""
    name, first = verb.__name__, _first_parameter(verb)

    async def method(self: Any, *args: Any, **options: Any) -> Any:
        what, *others = _first_argument(name, first, args, options)
        return await self._call(getattr(self.sync, name), what, *others, **options)

    return cast("Callable[Concatenate[Any, P], Coroutine[Any, Any, T]]", twin_of(verb)(method))


def awaited_in_thread(verb: Callable[Concatenate[Any, P], T]) -> Callable[Concatenate[Any, P], Coroutine[Any, Any, T]]:
    """As `awaited`, for methods that may read or write local files at one of two stores."""
    name = verb.__name__

    async def method(self: Any, *args: Any, **options: Any) -> Any:
        with dedicated_thread() as executor:
            return await run_cancellable(executor, partial(getattr(self.sync, name), *args, **options))

    return cast("Callable[Concatenate[Any, P], Coroutine[Any, Any, T]]", twin_of(verb)(method))


def iterated(verb: Callable[Concatenate[Any, P], Iterator[T]]
             ) -> Callable[Concatenate[Any, P], AsyncGenerator[T, None]]:
    """A method of `CloudFiles` that returns an iterator, as one to iterate over with `async for`."""
    name, first = verb.__name__, _first_parameter(verb)

    def method(self: Any, *args: Any, **options: Any) -> Any:
        what, *others = _first_argument(name, first, args, options)
        return self._iterate(lambda items: getattr(self.sync, name)(items, *others, **options), what)

    return cast("Callable[Concatenate[Any, P], AsyncGenerator[T, None]]", twin_of(verb)(method))


def twin_of(verb: Callable[..., Any]) -> Callable[[F], F]:
    """A decorator that gives a method the signature and the documentation of its counterpart `verb`."""
    summary = inspect.cleandoc(verb.__doc__ or "").partition("\n\n")[0]
    owner = "DataLake" if verb.__qualname__.startswith("DataLake.") else "CloudFiles"

    def decorate(method: F) -> F:
        if method.__name__ != verb.__name__:
            method.__name__, method.__qualname__ = verb.__name__, f"Async{owner}.{verb.__name__}"
        method.__doc__ = f"{summary}\n\nArguments, result and exceptions are those of `{owner}.{verb.__name__}`."
        method.__signature__ = inspect.signature(verb)  # type: ignore[attr-defined]
        return method

    return decorate


def _first_parameter(verb: Callable[..., Any]) -> inspect.Parameter:
    return list(inspect.signature(verb).parameters.values())[1]


def _first_argument(name: str, first: inspect.Parameter, args: tuple[Any, ...], options: dict[str, Any]
                    ) -> tuple[Any, ...]:
    """The arguments of a call by position, with the value of the parameter `first` among them."""
    if args:
        return args
    if first.name not in options and first.default is inspect.Parameter.empty:
        raise TypeError(f"{name}() missing 1 required positional argument: {first.name!r}")
    return (options.pop(first.name, first.default),)


# ---- where they run


class AsyncRunner:
    """Runs calls of a `CloudFiles` for `AsyncCloudFiles`.

    Attributes:
        sync: the `CloudFiles` of the same store.
    """

    sync: CloudFiles

    def _bind(self, cloudfiles: CloudFiles) -> None:
        self.sync = cloudfiles
        store = cloudfiles._store
        self._single_calls = ConcurrencyLimiter(max(1, cloudfiles.num_threads),
                                                store.share_of_calls if store.width is None else None)
        self._batches = ConcurrencyLimiter(_BATCHES)
        self._unlimited = ConcurrencyLimiter()
        self._is_local = interface_class(cloudfiles.protocol).traits.is_local

    async def _call(self, verb: Callable[..., Any], what: Any, *args: Any, **options: Any) -> Any:
        """`verb(what, ...)`: in the hub if it waits for a network, otherwise on a thread."""
        one = is_path(what) or isinstance(what, Mapping) or is_scalar(what)
        parallel = options.get("parallel")
        in_threads = self._is_local or (
            not one and is_parallel(self.sync.parallel if parallel is None else parallel))
        if one or isinstance(what, Collection) or not isinstance(what, Iterable | AsyncIterable):
            work = partial(verb, what, *args, **options)
            if in_threads:
                return await run_cancellable(pool(), work)
            return await (self._single_calls if one else self._batches).run(work)
        async with AsyncExitStack() as stack:
            # No limit here: the source of the items may itself wait for other calls of this store.
            if in_threads:
                executor = stack.enter_context(dedicated_thread())
                items = await _feed_thread(what, stack)
                return await run_cancellable(executor, partial(verb, items, *args, **options))
            items = await _feed_hub(what, stack)
            return await self._unlimited.run(partial(verb, items, *args, **options))

    async def _iterate(self, verb: Callable[[Any], Iterator[Any]], what: Any, max_bytes: int = 1
                       ) -> AsyncGenerator[Any, None]:
        """The items of `verb(what)`: run in the hub if it waits for a network, otherwise on a thread.

        max_bytes: contents that may wait for the consumer.
        """
        async with AsyncExitStack() as stack:
            if self._is_local:
                executor = stack.enter_context(dedicated_thread())
                items = await _feed_thread(what, stack)
                results = iterate_in_thread(executor, verb(items))
            else:
                fed = isinstance(what, Iterable | AsyncIterable) and not isinstance(what, Collection)
                items = await _feed_hub(what, stack) if fed else what
                results = iterate_in_hub(partial(verb, items), max_bytes, _weight)
            stack.push_async_callback(results.aclose)
            async for result in results:
                yield result


def _weight(item: Any) -> int:
    return weight(item) if isinstance(item, dict) else 0


async def _feed_thread(what: Any, stack: AsyncExitStack) -> Any:
    """`what` as an iterable for a thread."""
    return await stack.enter_async_context(channel_to_thread(what)) if isinstance(what, AsyncIterable) else what


async def _feed_hub(what: Any, stack: AsyncExitStack) -> Any:
    """An iterator or async iterable as an iterable for the hub. Iterators may block: they run on a thread."""
    if not isinstance(what, AsyncIterable):
        what = iterate_in_thread(stack.enter_context(dedicated_thread()), what)
    return await stack.enter_async_context(channel_to_hub(what))
