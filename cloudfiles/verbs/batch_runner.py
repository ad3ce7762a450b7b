"""How the methods of `CloudFiles` run a batch: with workers, a progress bar, and worker processes if wanted."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from cloudfiles.batch import existence, processes
from cloudfiles.batch.fanout import OnError, Plan
from cloudfiles.batch.processes import Parallel, checked_parallel, is_parallel
from cloudfiles.batch.store import Store
from cloudfiles.exceptions import InvalidInputError
from cloudfiles.inputs import as_path, is_path
from cloudfiles.interfaces.base import Interface
from cloudfiles.progress import Progress, bar_for, is_shown

if TYPE_CHECKING:
    from cloudfiles.monitoring import TransmissionMonitor

_DESCRIPTIONS = {"_get_columns": "Downloading", "_puts": "Uploading", "delete": "Deleting", "head": "Reading heads",
                 "exists": "Checking", "size": "Measuring", "touch": "Touching", "get_acl": "Reading access"}
"""Descriptions of progress bars."""


class BatchRunner:
    """The base class of the methods of `CloudFiles`.

    Attributes:
        progress: the progress bar of batches, unless the call overrides it.
        parallel: the processes, or the executor, that batches are distributed over, unless the call overrides it.
    """

    _store: Store
    progress: Progress
    parallel: Parallel

    def _chosen_parallel(self, parallel: Parallel | None, items: Any = None) -> Parallel:
        """The processes, or the executor, of a call; 1 if it has at most one item, or the store exists in this process
        only. Raises InvalidInputError."""
        chosen = self.parallel if parallel is None else checked_parallel(parallel)
        few = isinstance(items, Collection) and len(items) <= 1
        return 1 if few or self._store.keeps_live_objects else chosen

    @contextmanager
    def _batch(self, description: str, items: Any, total: int | None, progress: Progress,
               on_error: OnError | None = None) -> Iterator[tuple[Plan, Interface]]:
        """The plan of a batch, with its progress bar, and the interface that its workers use."""
        progress = self.progress if progress is None else progress
        count = len(items) if isinstance(items, Collection) else None
        with bar_for(progress, total if count is None else count, description) as bar:
            yield self._store.plan(on_error, bar.update if is_shown(progress) else None, count)

    def _in_processes(self, verb: str, items: Any, options: dict[str, Any], parallel: Parallel | None,
                      progress: Progress, total: int | None, monitor: TransmissionMonitor | None = None,
                      **options_of_run: Any) -> Iterator[tuple[list[Any], Any]]:
        """Run a verb in worker processes; yields each chunk of the items with its result.

        Args:
            monitor: gets the recordings of the processes.
            options_of_run: options of `batch.processes.run`.
        """
        progress = self.progress if progress is None else progress
        count = len(items) if isinstance(items, Collection) else total
        if monitor is not None:
            options = {**options, "return_recording": True}
        with bar_for(progress, count, _DESCRIPTIONS[verb]) as bar:
            for chunk, part in processes.run(self._plain_copy(), verb, iterable(items), options,
                                             self._chosen_parallel(parallel), bar.update,
                                             overlapping=self._store.overlaps_chunks, **options_of_run):
                if monitor is not None:
                    part, recorded = part
                    monitor.add(recorded)
                yield chunk, part

    def _plain_copy(self) -> Any:
        """A copy of this class, not of a subclass: that may be defined in `__main__`, which workers do not import."""
        own: type[Any] = next(cls for cls in type(self).__mro__ if cls.__module__.startswith("cloudfiles."))
        plain: Any = object.__new__(own)
        plain.__dict__.update(_store=self._store, progress=False, parallel=1)
        return plain

    def _per_path(self, verb: str, paths: Any, total: int | None, progress: Progress, parallel: Parallel | None = None,
                  answer: Callable[[Interface, Iterable[str], Plan], dict[str, Any]] | None = None) -> Any:
        """The result of a method of the interface for one path, or `{path: result}`.

        answer: a faster way to get the results of many paths.
        """
        if is_path(paths):
            return getattr(self._store.here(), verb)(as_path(paths))
        paths = keys(paths)
        if is_parallel(self._chosen_parallel(parallel, paths)):
            parts = self._in_processes(verb, paths, {}, parallel, progress, total)
            return {path: answer for _, part in parts for path, answer in (part or {}).items()}
        with self._batch(_DESCRIPTIONS[verb], paths, total, progress) as (plan, interface):
            if answer is not None:
                return answer(interface, paths, plan)
            return existence.one_by_one(getattr(interface, verb), paths, plan)


def monitor_of(direction: str) -> TransmissionMonitor:
    """A recording of transmissions, 'RX' or 'TX'."""
    from cloudfiles.monitoring import IOEnum, TransmissionMonitor

    return TransmissionMonitor(IOEnum[direction])


def iterable(paths: Any) -> Iterable[Any]:
    """`paths`, if it is an iterable. Raises InvalidInputError."""
    # A numpy array without dimensions has __iter__, but cannot be iterated over.
    if isinstance(paths, bytes) or not isinstance(paths, Iterable) or getattr(paths, "shape", None) == ():
        raise InvalidInputError("expected a path (a str or a pathlib.Path) or an iterable of paths, got "
                                f"{type(paths).__name__}: {paths!r}")
    return paths


def keys(paths: Any) -> Iterable[str]:
    """The paths as str. Those of a collection are checked now, others as they are taken from the iterator."""
    given = iterable(paths)
    if isinstance(given, Mapping) and is_path(given.get("path")):  # its keys are not meant: 'path', 'start', 'end'
        raise InvalidInputError("expected a path or an iterable of paths, got a dict that describes one of them: "
                                f"{given!r}; pass its 'path'")
    if not isinstance(given, Collection):
        return map(as_path, given)
    return given if all(type(path) is str for path in given) else [as_path(path) for path in given]
