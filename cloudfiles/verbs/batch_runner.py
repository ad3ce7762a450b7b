"""What every verb needs to run a batch: a plan, a bar, and processes where it is to leave this one."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from cloudfiles.batch import existence, processes
from cloudfiles.batch.fanout import OnError, Plan
from cloudfiles.batch.processes import Parallel, is_parallel
from cloudfiles.batch.progress import Progress, bar_for, is_shown
from cloudfiles.batch.store import Store
from cloudfiles.exceptions import InvalidInputError
from cloudfiles.inputs import as_path, is_path
from cloudfiles.interfaces.base import Interface

if TYPE_CHECKING:
    from cloudfiles.monitoring import TransmissionMonitor

_PROGRESSIVE = {"_get_columns": "Downloading", "_puts": "Uploading", "delete": "Deleting",
                "head": "Reading heads", "exists": "Checking", "size": "Measuring", "touch": "Touching",
                "get_acl": "Reading access"}


class BatchRunner:
    """What the verbs inherit.

    Attributes:
        progress: whether batches draw a bar where the call does not say.
        parallel: the processes, or the executor, that batches are spread over where the call does not say.
    """

    _store: Store
    progress: Progress
    parallel: Parallel

    def _parallel(self, parallel: Parallel | None, items: Any = None) -> Parallel:
        """What a batch of these items is spread over: 1 where that gains nothing, or where others cannot reach the
        store."""
        parallel = self.parallel if parallel is None else parallel
        few = isinstance(items, Collection) and len(items) <= 1
        return 1 if few or self._store.keeps_live_objects else parallel

    @contextmanager
    def _batch(self, description: str, items: Any, total: int | None, progress: Progress,
               on_error: OnError | None = None) -> Iterator[tuple[Plan, Interface]]:
        """The plan of a batch, with its progress bar, and the interface that its workers use."""
        progress = self.progress if progress is None else progress
        count = len(items) if isinstance(items, Collection) else total
        with bar_for(progress, count, description) as bar:
            yield self._store.plan(on_error, bar.update if is_shown(progress) else None)

    def _in_processes(self, verb: str, items: Any, options: dict[str, Any], parallel: Parallel | None,
                      progress: Progress, total: int | None, monitor: TransmissionMonitor | None = None,
                      **handing_over: Any) -> Iterator[tuple[list[Any], Any]]:
        """Each chunk of the items, and what the verb gave for it. What the processes record goes into `monitor`.

        handing_over: options of `parallel.run`.
        """
        progress = self.progress if progress is None else progress
        count = len(items) if isinstance(items, Collection) else total
        if monitor is not None:
            options = {**options, "return_recording": True}
        with bar_for(progress, count, _PROGRESSIVE[verb]) as bar:
            for chunk, part in processes.run(self._plain(), verb, iterable(items), options, self._parallel(parallel),
                                             bar.update, **handing_over):
                if monitor is not None:
                    part, recorded = part
                    monitor.add(recorded)
                yield chunk, part

    def _plain(self) -> Any:
        """This, as an object of our own class: one of the user's may be in `__main__`, which workers do not import."""
        own: type[Any] = next(cls for cls in type(self).__mro__ if cls.__module__.startswith("cloudfiles."))
        plain: Any = object.__new__(own)
        plain.__dict__.update(_store=self._store, progress=False, parallel=1)
        return plain

    def _ask(self, verb: str, paths: Any, total: int | None, progress: Progress, parallel: Parallel | None = None,
             answer: Callable[[Interface, Iterable[str], Plan], dict[str, Any]] | None = None) -> Any:
        """A verb that takes a path: its answer, or `{path: answer}`; `answer` may know a shorter way to many."""
        if is_path(paths):
            return getattr(self._store.here(), verb)(as_path(paths))
        paths = keys(paths)
        if is_parallel(self._parallel(parallel, paths)):
            parts = self._in_processes(verb, paths, {}, parallel, progress, total)
            return {path: answer for _, part in parts for path, answer in (part or {}).items()}
        with self._batch(_PROGRESSIVE[verb], paths, total, progress) as (plan, interface):
            if answer is not None:
                return answer(interface, paths, plan)
            return existence.one_by_one(getattr(interface, verb), paths, plan)


def monitor_of(direction: str) -> TransmissionMonitor:
    from cloudfiles.monitoring import IOEnum, TransmissionMonitor

    return TransmissionMonitor(IOEnum[direction])


def iterable(paths: Any) -> Iterable[Any]:
    # An array without dimensions says that it is iterable, and is not.
    if isinstance(paths, bytes) or not isinstance(paths, Iterable) or getattr(paths, "shape", None) == ():
        raise InvalidInputError("expected a path (a str or a pathlib.Path) or an iterable of paths, got "
                                f"{type(paths).__name__}: {paths!r}")
    return paths


def keys(paths: Any) -> Iterable[str]:
    """`paths`, each of them a str: all checked now in a collection, as they are taken otherwise."""
    given = iterable(paths)
    if not isinstance(given, Collection):
        return map(as_path, given)
    return given if all(type(path) is str for path in given) else [as_path(path) for path in given]
