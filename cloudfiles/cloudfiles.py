"""`CloudFiles`: its options, listing and use as a mapping; its other methods come from `verbs/`."""

from __future__ import annotations

import builtins
import copy
import itertools
import math
import os
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, Literal, TypedDict, overload

from cloudfiles import paths as _paths
from cloudfiles.batch.lister import list_paths
from cloudfiles.batch.processes import Parallel, checked_parallel, is_executor
from cloudfiles.batch.store import Store
from cloudfiles.batch.writer import is_content
from cloudfiles.byteranges import from_slice, needs_size, slice_of
from cloudfiles.exceptions import InvalidInputError, redact
from cloudfiles.inputs import ReadRequest, as_path, given, is_path
from cloudfiles.lib import StrPath
from cloudfiles.option_checks import checked_choice, checked_count, checked_text, is_number
from cloudfiles.paths import ExtractedPath
from cloudfiles.progress import Progress, checked_progress
from cloudfiles.results import GetResult, SizeSummary
from cloudfiles.types import MIN_THROUGHPUT, StoreOptions, Tls
from cloudfiles.verbs.batch_runner import iterable
from cloudfiles.verbs.directories import DirectoryVerbs
from cloudfiles.verbs.files import FileVerbs
from cloudfiles.verbs.read import ReadVerbs
from cloudfiles.verbs.transfer import TransferVerbs

if TYPE_CHECKING:
    from cloudfiles.datalake import DataLake

_COMPOSITE_UPLOAD_THRESHOLD = 100_000_000  # bytes


class KeywordOptions(TypedDict, total=False):
    """The options of `CloudFiles` that `CloudFile` accepts as keywords only."""

    progress: Progress
    green: bool | None
    num_threads: int | None
    parallel: Parallel | None
    ca_bundle: str | None
    client_cert: str | None
    client_key: str | None
    connect_timeout: float
    read_timeout: float
    encoding_suffixes: bool | None
    min_throughput: float
    follow_external_symlinks: bool
    hedge: bool
    max_concurrency: int | None


class CloudFilesOptions(KeywordOptions, total=False):
    """The options of `CloudFiles`, for the signatures of what passes them on."""

    secrets: Any
    use_https: bool
    endpoint: str | None
    request_payer: str | None
    locking: bool | None
    lock_dir: str | None
    composite_upload_threshold: int | None
    no_sign_request: bool


def _checked_threshold(value: Any) -> int:
    """The `composite_upload_threshold`, also given as a float such as 1e8. Raises InvalidInputError."""
    if given(value) is None:
        return _COMPOSITE_UPLOAD_THRESHOLD
    is_finite = isinstance(value, float) and math.isfinite(value)
    return checked_count("composite_upload_threshold", int(value) if is_finite else value, 1)


class CloudFiles(ReadVerbs, DirectoryVerbs, TransferVerbs, FileVerbs):
    """Batch operations (get, put, exists, list, delete, transfer) on the objects below one cloudpath.

    Every method that takes paths accepts one path or an iterable of them. One path gives one result; many are processed
    by concurrent workers and give their results in order. A missing object gives None (or False), not an exception;
    any other failure raises a `CloudFilesError`.

    Args:
        cloudpath: `s3://bucket/dir/`, `s3://https://host/bucket/dir/`, `https://host/dir/`, `file:///dir/`,
            `mem://bucket/dir/`, a local path, or an alias.
        progress: show a progress bar for batches: True, or a str to describe the work.
        green: use green threads (True) or OS threads (False) as workers, or whichever is faster for the protocol
            (None). No monkey-patching is needed. In a thread that runs a gevent hub, or a process that has patched
            `socket`, the workers are always greenlets of that hub.
        secrets: credentials: a dict, JSON text, or the path of a JSON file. They are never shown in a repr, and
            pickles contain only a reference to them.
        num_threads: number of workers of a batch, which is the number of concurrent requests; 0 runs it in the calling
            thread. None: it is found while the batch runs, from 20 upwards: see "Progress and concurrency" in the
            guide.
        use_https: read a public bucket over plain HTTPS without credentials.
        endpoint: the URL of an S3-compatible service.
        parallel: number of processes to distribute batches over (0: one per core; at most 256, or 32 per core if that
            is more), or a `concurrent.futures.Executor`.
        request_payer: 'requester' to pay for access to a requester-pays bucket.
        locking: on `file://`, use advisory locks.
        lock_dir: the directory of the lock files.
        composite_upload_threshold: size in bytes from which uploads are sent in parts.
        no_sign_request: send unsigned requests, for public buckets.
        ca_bundle: a PEM file of certificate authorities to trust instead of the system's.
        client_cert, client_key: PEM files of the client certificate and its key (mutual TLS).
        connect_timeout, read_timeout: seconds to wait for a connection, and for the next byte on it.
        encoding_suffixes: on `file://`, whether the file `x.gz` is the key `x` with the encoding gzip (True), or every
            file has its own name as key, and its own bytes as content (False). None: the default of the method, which
            is False for `sync_to` and `verify`, and True for all others. See the guide on local files.
        min_throughput: bytes per second. A transfer that stays below this for `read_timeout` seconds is aborted and
            resumed on a new connection, unless the bandwidth of the network itself is the limit. 0: no minimum.
        follow_external_symlinks: on `file://`, whether listings and transfers also follow symlinks that lead out of the
            directory. Otherwise these are skipped, and reported in the result (`skipped_symlinks`) and the log. Reading
            a key by its name follows any symlink.
        hedge: whether a read (GET, HEAD, a page of a listing) that waits far longer for its response than others do is
            sent a second time, on another connection, and the response that comes first is used ("hedged requests").
            At most 2% of the requests are. See "Stragglers" in the guide on the network.
        max_concurrency: maximum number of workers if `num_threads` is not given; None: CLOUDFILES_MAX_CONCURRENCY of
            the environment, or 1024. There are never more than a quarter of the descriptor limit, nor more than 64 OS
            threads.

    Raises:
        InvalidInputError: (also a ValueError) if an argument is invalid, before any I/O.
    """

    def __init__(self, cloudpath: StrPath, progress: Progress = False, green: bool | None = None,
                 secrets: Any = None, num_threads: int | None = None, use_https: bool = False,
                 endpoint: str | None = None, parallel: Parallel | None = 1, request_payer: str | None = None,
                 locking: bool | None = None,
                 lock_dir: str | None = None, composite_upload_threshold: int | None = int(1e8),
                 no_sign_request: bool = False, *, ca_bundle: str | None = None, client_cert: str | None = None,
                 client_key: str | None = None, connect_timeout: float = 10.0, read_timeout: float = 60.0,
                 encoding_suffixes: bool | None = None, min_throughput: float = MIN_THROUGHPUT,
                 follow_external_symlinks: bool = False, hedge: bool = True,
                 max_concurrency: int | None = None) -> None:
        request_payer = given(request_payer)
        parallel = 1 if parallel is None else checked_parallel(parallel)
        if request_payer not in (None, "requester"):
            raise InvalidInputError(f"request_payer: expected 'requester' or None, got {request_payer!r}")
        for name, seconds in (("connect_timeout", connect_timeout), ("read_timeout", read_timeout)):
            if not isinstance(seconds, int | float) or not seconds > 0:
                raise InvalidInputError(f"{name}: expected a number of seconds > 0, got {seconds!r}")
        if not isinstance(min_throughput, int | float) or not min_throughput >= 0:
            raise InvalidInputError("min_throughput: expected a number of bytes per second >= 0, got "
                                    f"{min_throughput!r}")
        options = StoreOptions(
            given(secrets), checked_text("endpoint", endpoint), request_payer,
            bool(checked_choice("no_sign_request", no_sign_request)), checked_choice("locking", locking),
            checked_text("lock_dir", lock_dir), _checked_threshold(composite_upload_threshold),
            Tls(checked_text("ca_bundle", ca_bundle), checked_text("client_cert", client_cert),
                checked_text("client_key", client_key)), connect_timeout, read_timeout,
            checked_choice("encoding_suffixes", encoding_suffixes), min_throughput,
            bool(checked_choice("follow_external_symlinks", follow_external_symlinks)),
            checked_choice("hedge", hedge) is not False,
            None if max_concurrency is None else checked_count("max_concurrency", max_concurrency, 1))
        width = None if num_threads is None else checked_count("num_threads", num_threads)
        self._store = Store(_paths.absolute(cloudpath), options, checked_choice("green", green), width,
                            bool(checked_choice("use_https", use_https)))
        self.progress = checked_progress(progress)
        self.parallel = parallel

    # ---- what it is

    @property
    def cloudpath(self) -> str:
        """The cloudpath, with `~`, relative paths and missing protocols resolved."""
        return self._store.cloudpath

    @property
    def protocol(self) -> str:
        """The protocol, such as 's3', 'gs', 'az', 'file', 'mem' or 'https'."""
        return self._store.location.protocol

    @property
    def _path(self) -> ExtractedPath:
        return self._store.location

    @property
    def sep(self) -> str:
        """The separator of paths: that of the operating system on `file://`, otherwise '/'."""
        return os.sep if self.protocol == "file" else "/"

    @property
    def green(self) -> bool | None:
        """Whether workers are green threads; None: whichever is faster for the protocol."""
        return self._store.green

    @property
    def num_threads(self) -> int:
        """The number of workers of a batch; 20, with which a batch starts, if it was not given."""
        return self._store.first_width

    @property
    def secrets(self) -> Any:
        """The credentials passed as `secrets=`, or None."""
        return self._store.options.secrets

    @property
    def request_payer(self) -> str | None:
        """'requester', or None."""
        return self._store.options.request_payer

    @property
    def locking(self) -> bool | None:
        """Whether advisory locks are used on `file://`; None: the default of the protocol."""
        return self._store.options.locking

    @property
    def no_sign_request(self) -> bool:
        """Whether requests are not signed."""
        return self._store.options.no_sign_request

    @property
    def composite_upload_threshold(self) -> int:
        """The size in bytes from which uploads are sent in parts."""
        return self._store.options.composite_upload_threshold

    @property
    def lock_dir(self) -> str | None:
        """The directory of the lock files on `file://`; None elsewhere."""
        return getattr(self._store.here(), "lock_dir", None)

    def clear_locks(self) -> None:
        """Remove lock files that are not held by any process."""
        clear = getattr(self._store.here(), "clear_locks", None)
        if clear is not None:
            clear()

    def _by_exact_names(self) -> CloudFiles:
        """The same store with `encoding_suffixes=False`, unless that option was given."""
        store = self._store.by_exact_names()
        if store is self._store:
            return self
        twin = copy.copy(self)
        twin._store = store
        return twin

    def __repr__(self) -> str:
        return f"CloudFiles({redact(self.cloudpath)!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, CloudFiles) and self._store == other._store

    def __hash__(self) -> int:
        return hash(self.cloudpath)

    def __getstate__(self) -> dict[str, Any]:
        """Executors and progress bars are not pickled."""
        alone = 1 if is_executor(self.parallel) else self.parallel
        return {"_store": self._store, "parallel": alone,
                "progress": self.progress if isinstance(self.progress, bool | str) else False}

    # ---- listing

    @overload
    def list(self, prefix: StrPath = "", flat: bool = False, size: Literal[False] = False,
             return_resume_token: Literal[False] = False, resume_token: str | None = None) -> Iterator[str]: ...
    @overload
    def list(self, prefix: StrPath = "", flat: bool = False, *, size: Literal[True],
             return_resume_token: Literal[False] = False, resume_token: str | None = None
             ) -> Iterator[tuple[str, int | None]]: ...
    @overload
    def list(self, prefix: StrPath = "", flat: bool = False, size: Literal[False] = False, *,
             return_resume_token: Literal[True], resume_token: str | None = None
             ) -> Iterator[tuple[str, str | None]]: ...
    @overload
    def list(self, prefix: StrPath = "", flat: bool = False, *, size: Literal[True],
             return_resume_token: Literal[True], resume_token: str | None = None
             ) -> Iterator[tuple[str, int | None, str | None]]: ...
    @overload
    def list(self, prefix: StrPath = "", flat: bool = False, size: bool = False, return_resume_token: bool = False,
             resume_token: str | None = None) -> Iterator[Any]: ...

    def list(self, prefix: StrPath = "", flat: bool = False, size: bool = False, return_resume_token: bool = False,
             resume_token: str | None = None) -> Iterator[Any]:
        """Iterate over the paths of all objects that start with `prefix`. To list a directory, use `find` or `ls`.

        The first page of the listing is requested when the first path is needed. If there are more, up to 16 pages are
        requested at the same time on `s3://` and `gs://`, which list in key order: at most 64 pages in advance (about
        25 MB), and few at first.

        Args:
            prefix: the start of a path; it does not have to end at a '/'.
            flat: list one level only; deeper objects are grouped into a directory that ends with '/'. If `prefix` is
                itself a directory, its contents are listed, with or without a trailing '/'.
            size: yield `(path, bytes)`; None for a directory.
            return_resume_token: yield `(path, token)`, or `(path, bytes, token)`: a new listing with that
                `resume_token` continues with the page that contains the path.
            resume_token: a token of an earlier listing.

        Raises:
            AuthorizationError: the credentials do not allow listing.
            AmbiguousPathError: on `file://`, two files are the same key, as `a` and `a.gz` are.
            CloudFilesError: any other failure, raised by the iterator when it reaches the page.
        """
        if not isinstance(resume_token, str | None):
            raise InvalidInputError(f"resume_token: expected a token returned by list(), or None, got {resume_token!r}")
        return list_paths(self._store, as_path(prefix), flat, size, return_resume_token, resume_token)

    def isdir(self, prefix: StrPath = "") -> bool:
        """Whether there is a directory `prefix`. In object stores, this means that there is any object below it."""
        return self._store.here().isdir(as_path(prefix))

    def subtree_size(self, prefix: StrPath | Iterable[StrPath] = "") -> SizeSummary:
        """Number and stored bytes of the objects that start with a prefix, or with one of several prefixes.

        Returns `{'N': number of objects, 'num_bytes': their stored bytes}`. For a directory, use `du`.
        """
        sizes = SizeSummary(N=0, num_bytes=0)
        for one in iterable([prefix] if is_path(prefix) else prefix):
            for path, size in self.list(one, size=True):
                sizes["N"] += 1
                sizes["num_bytes"] += (self.size(path) or 0) if size is None else size
        return sizes

    def presign(self, path: StrPath, expires: float = 3600, method: str = "GET") -> str:
        """A URL that allows anyone to access a path without credentials for a time.

        Args:
            path: the object; it does not have to exist.
            expires: seconds for which the URL is valid.
            method: the HTTP method that the URL is for, such as 'GET' or 'PUT'.

        Raises:
            UnsupportedOperationError: the protocol has no presigned URLs.
            AuthorizationError: there are no credentials that can sign.
            InvalidInputError: `expires` is no number of seconds that the store accepts, or `method` is no str.
        """
        if not is_number(expires):
            raise InvalidInputError(f"expires: expected a number of seconds, got {expires!r}")
        if not isinstance(method, str):
            raise InvalidInputError(f"method: expected a str such as 'GET', got {type(method).__name__}: {method!r}")
        return self._store.here().presign(as_path(path), expires, method)

    def data_lake(self) -> DataLake:
        """Owners, permissions, ACLs, appending, expiry and times, on file systems: see `cloudfiles.datalake.DataLake`.

        Raises UnsupportedOperationError if the store is not a file system: on Azure, the account needs a hierarchical
        namespace.
        """
        from cloudfiles.datalake import DataLake

        return DataLake(self._store)

    # ---- paths

    def join(self, *paths: StrPath) -> str:
        """Join paths with the separator of the protocol."""
        plain = map(as_path, paths)
        return os.path.join(*plain) if self.protocol == "file" else _paths.join(*plain)

    def abspath(self, path: StrPath) -> str:
        """The cloudpath of a path of this store."""
        return self.join(self.cloudpath, path)

    def dirname(self, path: StrPath) -> str:
        """The directory of a path, without a trailing separator."""
        return _paths.dirname(path)

    def basename(self, path: StrPath) -> str:
        """The last component of a path."""
        return _paths.basename(path)

    # ---- as a mapping

    def __contains__(self, path: StrPath) -> bool:
        return self.exists(path)

    def __iter__(self) -> Iterator[str]:
        return self.list()

    @overload
    def __getitem__(  # type: ignore[overload-overlap]
            self, key: ReadRequest | tuple[StrPath, slice]) -> bytes | None: ...
    @overload
    def __getitem__(self, key: slice | Iterable[ReadRequest]) -> builtins.list[GetResult]: ...

    def __getitem__(self, key: Any) -> Any:
        """`cf[path]`, `cf[path, 5:10]`, `cf[[path, ...]]`; `cf[:]` or `cf[:100]` for all listed objects, or the first
        ones.

        A slice that does not reach the end of the object, but is relative to it (`cf[path, :-4]`), takes another
        request, for the size.
        """
        if isinstance(key, slice):
            return self.get(list(_sliced(self.list(), key)))
        if isinstance(key, tuple) and len(key) == 2 and isinstance(key[1], slice):
            return self._slice_of(as_path(key[0]), key[1], self.size)
        return self.get(key)

    def _slice_of(self, path: str, wanted: slice, size_of: Callable[[str], int | None]) -> bytes | None:
        """These stored bytes of an object; `size_of` is called if its size is needed."""
        if needs_size(wanted):
            size = size_of(path)
            if size is None:  # missing, or the server does not send it
                whole = self.get(path, raw=True)
                return whole if whole is None else whole[wanted]
            wanted = slice_of(wanted, size)
        start, end = from_slice(wanted)
        return self.get({"path": path, "start": start, "end": end})

    def __setitem__(self, key: StrPath | slice, content: Any) -> None:
        """`cf[path] = bytes`; `cf[:] = other` copies all objects of another CloudFiles (or cloudpath) to this one."""
        if isinstance(key, slice) and key == slice(None):
            self.transfer_from(content)
            return
        # Existing programs store sets, trees and other objects on mem:// in this way.
        self.put(as_path(key), content, raw=self._store.keeps_live_objects and not is_content(content))

    def __delitem__(self, key: StrPath | Iterable[StrPath]) -> None:
        self.delete(key)


def __getattr__(name: str) -> Any:
    if name in ("CloudFile", "dl"):  # existing programs import them from here
        import cloudfiles

        return getattr(cloudfiles, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def _sliced(paths: Iterator[str], wanted: slice) -> Iterable[str]:
    try:
        return itertools.islice(paths, wanted.start, wanted.stop, wanted.step)
    except ValueError:
        return list(paths)[wanted]  # negative indices: needs the complete listing
