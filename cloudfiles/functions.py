"""Functions of full cloudpaths: `dl` from many stores at once, `sync` and `verify` of two."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, overload

from cloudfiles.addresses import split_bucket
from cloudfiles.batch.fanout import Plan, collect
from cloudfiles.batch.processes import Parallel
from cloudfiles.cloudfiles import CloudFiles, CloudFilesOptions
from cloudfiles.exceptions import InvalidInputError
from cloudfiles.inputs import KeyPatterns, ReadRequest, TransferRequest, is_path
from cloudfiles.lib import StrPath
from cloudfiles.option_checks import checked_count
from cloudfiles.progress import Progress, SharedBar, bar_for, is_shown
from cloudfiles.results import GetResult
from cloudfiles.runtime.hub_engine import blocking_runtime
from cloudfiles.transport.budget import Budget
from cloudfiles.transport.concurrency.adaptive_width import MAX_THREADS
from cloudfiles.verbs.batch_runner import iterable

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from cloudfiles.transfer.result import ObjectOutcome
    from cloudfiles.transfer.sync import SyncResult
    from cloudfiles.transfer.verify import VerifyResult


class DownloadOptions(CloudFilesOptions, total=False):
    """The options of `dl`: those of `CloudFiles`, and two of `CloudFiles.get`."""

    raise_errors: bool
    max_decoded_size: int | None


@overload
def dl(  # type: ignore[overload-overlap]
        cloudpaths: ReadRequest, raw: bool = False, **options: Unpack[DownloadOptions]) -> GetResult: ...
@overload
def dl(cloudpaths: Iterable[ReadRequest], raw: bool = False, **options: Unpack[DownloadOptions]) -> list[GetResult]: ...


def dl(cloudpaths: Any, raw: bool = False, **options: Any) -> Any:
    """Download objects by full cloudpath, from any number of stores.

    Args:
        cloudpaths: a cloudpath or an iterable of them; a dict with 'path', 'start', 'end' requests a byte range.
        raw: return the stored bytes without decoding them.
        options: those of `CloudFiles` and of `CloudFiles.get`. `num_threads` is the number of workers over all stores.

    Returns:
        A `GetResult` with the additional key 'fullpath', or a list of them in the order of the cloudpaths.

    Raises the exceptions of `CloudFiles` and `CloudFiles.get`.
    """
    scalar = is_path(cloudpaths) or isinstance(cloudpaths, Mapping)
    items = [cloudpaths] if scalar else list(iterable(cloudpaths))
    of_get = {name: options.pop(name) for name in ("raise_errors", "max_decoded_size") if name in options}
    progress = options.pop("progress", False)
    buckets: dict[str, list[dict[str, Any]]] = {}
    for number, item in enumerate(items):
        fields = dict(item) if isinstance(item, Mapping) else {"path": item}
        if not is_path(fields.get("path")):
            raise InvalidInputError(f"expected a cloudpath, or a dict with one as its 'path', got {item!r}")
        bucket, key = split_bucket(fields["path"])
        buckets.setdefault(bucket, []).append({**fields, "path": key, "tags": (number, fields)})
    results: list[Any] = [None] * len(items)
    given = options.get("num_threads")
    number_of_workers = None if given is None else checked_count("num_threads", given)

    def get(bucket: str) -> None:
        if runtime is None or number_of_workers is None:
            get_with(bucket, options)
            return
        width = min(number_of_workers, len(buckets[bucket]))
        with workers.reserved(width, runtime):
            get_with(bucket, {**options, "num_threads": width})

    def get_with(bucket: str, options: Mapping[str, Any]) -> None:
        for found in CloudFiles(bucket, **options).get(buckets[bucket], raw=raw, progress=shared, **of_get):
            number, fields = found["tags"]
            found.update(tags=fields.get("tags"), fullpath=fields["path"])
            results[number] = found

    several = min(MAX_THREADS, len(buckets)) if number_of_workers != 0 else 1
    runtime = blocking_runtime() if several > 1 else None
    workers = Budget(number_of_workers or 1)
    with bar_for(progress, len(items), "Downloading") as bar:
        shared = SharedBar(bar, len(items)) if is_shown(progress) else False
        collect(get, buckets, Plan(runtime, several))
    return results[0] if scalar else results


def sync(src: CloudFiles | StrPath, dest: CloudFiles | StrPath, delete: bool = False, compare: str = "auto", *,
         include: KeyPatterns | None = None, exclude: KeyPatterns | None = None, dry_run: bool = False,
         max_delete: int | None = 1000, progress: Progress = None, parallel: Parallel | None = None,
         raise_errors: bool = True, max_rate: float | None = None,
         on_outcome: Callable[[ObjectOutcome], Any] | None = None) -> SyncResult:
    """Make `dest` like `src`.

    Args:
        src, dest: cloudpaths, or CloudFiles objects to set their options.
        delete: delete objects that exist only at `dest`, after both listings and all copies have succeeded.
        compare: 'auto', 'size', 'time' or 'digest'.
        include, exclude, dry_run, max_delete, progress, parallel, raise_errors, max_rate, on_outcome: as for
            `CloudFiles.sync_to`.

    Raises the same exceptions as `CloudFiles.sync_to`.
    """
    return _store_of(src).sync_to(_store_of(dest), delete, compare, include, exclude, dry_run, max_delete,
                                  progress, parallel, raise_errors=raise_errors, max_rate=max_rate,
                                  on_outcome=on_outcome)


def verify(src: CloudFiles | StrPath, dest: CloudFiles | StrPath,
           paths: StrPath | Iterable[TransferRequest] | None = None, read: bool = False,
           progress: Progress = None) -> VerifyResult:
    """Compare the objects at `src` with those at `dest`; see `CloudFiles.verify`.

    src, dest: cloudpaths or CloudFiles objects.
    """
    return _store_of(src).verify(_store_of(dest), paths, read, progress)


def _store_of(given: CloudFiles | StrPath) -> CloudFiles:
    return given if isinstance(given, CloudFiles) else CloudFiles(given)
