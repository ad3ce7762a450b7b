"""`Bucket`: upload and download files by name, with views, a cache, and mirroring of directories."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, NoReturn

from cloudfiles.batch.lister import list_pages
from cloudfiles.bucket.cache import TimedCache
from cloudfiles.bucket.file_copies import copy_files, counted_progress
from cloudfiles.bucket.local_names import is_marker, local_target, local_tree, remote_name
from cloudfiles.bucket.storage import BucketFile, FileProgress, Storage
from cloudfiles.bucket.views import PrefixFilter, StripPrefix, View, substore
from cloudfiles.cloudfiles import CloudFiles, CloudFilesOptions
from cloudfiles.exceptions import InvalidInputError, InvalidPathError, MissingObjectError, redact
from cloudfiles.inputs import BinaryReader, as_path, is_path
from cloudfiles.key_conflicts import check_key_conflicts
from cloudfiles.lib import StrPath
from cloudfiles.transfer.copier import TransferOptions
from cloudfiles.transfer.items import Item
from cloudfiles.transfer.local_files import LocalStore, same_files
from cloudfiles.transfer.result import TransferResult, skipped_in_errors
from cloudfiles.transfer.sync import SyncResult, check_disjoint, sync
from cloudfiles.types import Clock

if TYPE_CHECKING:
    from typing_extensions import Unpack

__all__ = ["Bucket", "NoSuchFileError"]

_JSON_OPTIONS = ("endpoint", "request_payer", "no_sign_request", "encoding_suffixes", "follow_external_symlinks")
"""Options of CloudFiles that are included in the JSON of a bucket."""


class NoSuchFileError(MissingObjectError, ValueError):
    """The file does not exist in the bucket."""


class Bucket(Storage):
    """A file-oriented view of a store.

    Names are keys below the cloudpath, with '/' between directories, as the view shows them. Files are stored as they
    are, and decoded by their Content-Encoding when they are downloaded.

    There are no background operations: when a method returns, its work is done.

    Args:
        cloudpath: a cloudpath of any protocol, or a CloudFiles.
        filtering: show only the files that this filter selects.
        resources_transformation: how file names are derived from keys.
        cache_ttl: seconds for which the listing and downloaded files are assumed to be unchanged; None: every call asks
            the store. Changes made through this object are always visible.
        clock: the clock used by the cache.
        options: options of CloudFiles: `secrets`, `endpoint`, `num_threads`, ...
    """

    def __init__(self, cloudpath: StrPath | CloudFiles, filtering: PrefixFilter | None = None,
                 resources_transformation: StripPrefix | None = None, cache_ttl: float | None = None, *,
                 clock: Clock | None = None, **options: Unpack[CloudFilesOptions]) -> None:
        if isinstance(cloudpath, CloudFiles) and options:
            raise InvalidInputError(f"{', '.join(options)} cannot be combined with a CloudFiles, which has its own "
                                    "options")
        if cache_ttl is not None and not cache_ttl >= 0:
            raise InvalidInputError(f"cache_ttl: expected a number of seconds >= 0, or None, got {cache_ttl!r}")
        cf = cloudpath if isinstance(cloudpath, CloudFiles) else CloudFiles(cloudpath, **options)
        self._cf = cf._by_exact_names()
        self._store = self._cf._store
        self._view = View(filtering, resources_transformation)
        self._ttl = cache_ttl
        self._clock = clock or Clock()
        self._cache = TimedCache(cache_ttl, self._clock)

    # ---- what it is

    @property
    def uuid(self) -> str:
        """Identifies the bucket: its cloudpath, without secrets."""
        return redact(self._cf.cloudpath)

    @property
    def description(self) -> str:
        """Describes the bucket: its cloudpath, without secrets."""
        return redact(self._cf.cloudpath)

    def __repr__(self) -> str:
        parts = [repr(self.description), *(repr(part) for part in (self._view.filtering, self._view.transformation)
                                           if part is not None)]
        return f"Bucket({', '.join(parts)})"

    def __eq__(self, other: object) -> bool:
        """Whether both show the same objects under the same names."""
        return isinstance(other, Bucket) and (self._cf, self._view) == (other._cf, other._view)

    def __hash__(self) -> int:
        return hash((self._cf, self._view))

    def to_json(self) -> dict[str, Any]:
        """A JSON-serializable dict that describes the bucket, without secrets."""
        options = self._store.options
        return {"cloudpath": redact(self._cf.cloudpath), **{name: getattr(options, name) for name in _JSON_OPTIONS},
                "cache_ttl": self._ttl, **self._view.to_json()}

    @classmethod
    def from_json(cls, json_bucket: Mapping[str, Any], **options: Any) -> Bucket:
        """Create a bucket from the result of `to_json`.

        Args:
            options: options of CloudFiles, `cloudpath` and `clock`; they override those in the dict. Secrets must be
                passed here, including those in a cloudpath.
        """
        view = View.from_json(json_bucket)
        if not isinstance(json_bucket.get("cloudpath"), str):
            raise InvalidInputError(f"expected a dict from Bucket.to_json, got {type(json_bucket).__name__}: "
                                    f"{json_bucket!r}")
        told = {name: json_bucket[name] for name in _JSON_OPTIONS if json_bucket.get(name) is not None}
        cloudpath = options.pop("cloudpath", json_bucket["cloudpath"])
        return cls(cloudpath, view.filtering, view.transformation, json_bucket.get("cache_ttl"),
                   **{**told, **options})

    # ---- views

    def with_filtering(self, filtering: PrefixFilter | None) -> Bucket:
        """A new view of the same objects, with this filter instead of the current one."""
        return self._with_view(filtering, self._view.transformation, self._ttl)

    def with_resource_transformation(self, resource: StripPrefix | None) -> Bucket:
        """A new view of the same objects, with this transformation of names instead of the current one."""
        return self._with_view(self._view.filtering, resource, self._ttl)

    def with_cache_ttl(self, ttl: float | None) -> Bucket:
        """The same view, with its own cache that is valid for `ttl` seconds."""
        return self._with_view(self._view.filtering, self._view.transformation, ttl)

    def _with_view(self, filtering: PrefixFilter | None, transformation: StripPrefix | None, ttl: float | None
                   ) -> Bucket:
        return Bucket(self._cf, filtering, transformation, ttl, clock=self._clock)

    # ---- listing

    def list_files(self) -> list[BucketFile]:
        """All files, with `key` (their name in this view), `bucket_name`, `size` in stored bytes, `etag` (or `e_tag`)
        and `last_modified` as reported by the store, or None.
        """
        entries = self._cache.listing()
        if entries is None:
            entries = list(self._listed(""))
            self._cache.keep_listing(entries)
        return entries

    def directory(self, directory: str = "") -> list[BucketFile]:
        """The files whose name starts with `directory`: add a trailing '/' for the contents of a directory only."""
        known = self._cache.listing()
        return list(self._listed(directory)) if known is None else [e for e in known if e.key.startswith(directory)]

    def _listed(self, beginning: str) -> Iterator[BucketFile]:
        prefix = self._view.prefix_of(beginning)
        if prefix is None:
            return
        for page in list_pages(self._store, prefix):
            for entry in page.entries:
                name = self._view.name_of(entry.key)
                if name is not None:
                    file = BucketFile(name, *entry[1:])
                    file.bucket_name = self._store.location.bucket
                    yield file

    def update(self, flush: bool = False) -> None:
        """Refresh the cached listing if it has expired, or, with `flush`, in any case.

        Without a cache this does nothing: every call asks the store.
        """
        if flush:
            self._cache.drop()
        if self._ttl is not None:
            self.list_files()

    # ---- out of the bucket

    def get_file(self, remote: str, local: StrPath | None = None, progress: FileProgress = None) -> str:
        """Download a file, and return the name of the local one. Subdirectories are created.

        Args:
            local: the file to write, or a directory to write into. None: the remote name below the working directory,
                and never outside of it.
            progress: a callback `(read, total, filename)`, in bytes, or True for a progress bar.

        Raises:
            NoSuchFileError: (also a ValueError) the file does not exist.
            InvalidPathError: the name is not valid as a local one, or leads out of the directory.
        """
        key = self._view.key_of(remote)
        given, directory, name = local_target(remote, local)
        size = self._store.here().size(key) if progress else 0
        if size is None:
            self._no_such_file(remote)
        try:
            self._fetch([Item(key, name)], directory, progress, {key: (remote, size)})
        except MissingObjectError as error:
            self._no_such_file(remote, error)
        return given

    def _no_such_file(self, remote: str, cause: Exception | None = None) -> NoReturn:
        raise NoSuchFileError("the file does not exist in the bucket", path=remote, store=self.description) from cause

    def get_all_files(self, output_dir: StrPath, progress: FileProgress = None) -> TransferResult:
        """Download all files into a directory, replacing existing files of the same names.

        All names are checked before the download starts: nothing is ever written outside of the directory, whether
        through `..`, an absolute name or a symlink in it.

        Raises:
            InvalidPathError: a name leads out of the directory, or conflicts with others; nothing was written.
            CloudFilesError: the first failure; files downloaded before it are complete.
        """
        directory = os.path.abspath(os.fspath(output_dir))
        entries = self.list_files()
        names = {entry.key.rstrip("/") + "/" if is_marker(entry) else entry.key for entry in entries}
        interface = LocalStore(directory).here()
        for name in names:
            interface.check_target(name + "x" if name.endswith("/") else name)
        here, key_of = self._store.here(), self._view.key_of
        check_key_conflicts(interface, names, lambda one, other: (
            one.endswith("/") or here.is_same(here, key_of(one), key_of(other))))
        for name in ("", *(name for name in names if name.endswith("/"))):
            os.makedirs(os.path.join(directory, name), exist_ok=True)
        files = [(self._view.key_of(entry.key), entry) for entry in entries if not is_marker(entry)]
        return self._fetch([Item(key, entry.key, entry.size) for key, entry in files], directory, progress,
                           {key: (entry.key, entry.size or 0) for key, entry in files})

    def _fetch(self, items: list[Item], directory: str, progress: FileProgress,
               files: Mapping[str, tuple[str, int]]) -> TransferResult:
        target = LocalStore(directory, width=self._store.width)
        places = {item: os.path.join(directory, item.target) for item in items}
        with counted_progress(progress, files) as shown:
            result = copy_files(self._store, target, items, TransferOptions(encoding=""), shown,
                                skip=lambda item: self._cache.is_fresh(item.source, places[item]))
        for item, place in places.items():
            if not self._cache.is_fresh(item.source, place):
                self._cache.keep_file(item.source, place)
        return result

    # ---- into the bucket

    def add_file(self, local_or_file: StrPath | BinaryReader, remote: str | None = None) -> None:
        """Upload a local file, or the rest of an open binary file.

        Args:
            remote: the name to store it under; None: that of the local file, without its directory if that is absolute
                or above the working directory.

        Raises MissingObjectError (also a FileNotFoundError) if the local file does not exist.
        """
        given: Any = local_or_file
        is_open = hasattr(given, "read")
        path: Any = getattr(given, "name", None) if is_open else os.fspath(given)
        key = self._view.key_of(remote_name(path) if remote is None else remote)
        self._cache.drop()
        if is_open:
            self._cf.put(key, given)
        else:
            self._put_files({key: os.path.abspath(path)})

    def add_directory(self, local: StrPath, remote: str = "") -> TransferResult:
        """Upload a directory with its subdirectories, to names below `remote`. Symlinks that lead out of it are
        skipped, which the result reports, unless the bucket has `follow_external_symlinks`.

        Raises NoSuchDirectoryError (also an OSError) if it is not a directory.
        """
        found, skipped = local_tree(local, remote, self._store.options.follow_external_symlinks)
        files = {self._view.key_of(name): path for name, path in found.items()}
        self._cache.drop()
        with skipped_in_errors(skipped):
            result = self._put_files(files)
        result.skipped_symlinks = skipped
        return result

    def _put_files(self, files: Mapping[str, str]) -> TransferResult:
        check_key_conflicts(self._store.here(), files, same_files(files))
        items = [Item(key, key) for key in files]
        return copy_files(LocalStore(os.sep, files, self._store.width), self._store, items)

    def add_string(self, string: str, remote: str) -> None:
        """Store a str, encoded in UTF-8."""
        if not isinstance(string, str):
            raise InvalidInputError(f"expected a str, got {type(string).__name__}")
        self._cache.drop()
        self._cf.put(self._view.key_of(remote), string.encode())

    def copy_file(self, source: str, dest: str) -> None:
        """Copy a file within the bucket, on the server if possible. Raises NoSuchFileError."""
        item = Item(self._view.key_of(source), self._view.key_of(dest))
        self._cache.drop()
        try:
            copy_files(self._store, self._store, [item])
        except MissingObjectError as error:
            self._no_such_file(source, error)

    def delete_file(self, remote: str) -> None:
        """Delete a file; a missing file is ignored."""
        self._cache.drop()
        self._cf.delete(self._view.key_of(remote))

    def delete(self) -> int:
        """Delete all files of this view, and return their number. The bucket itself is not deleted."""
        self._cache.drop()
        return self._cf.delete([self._view.key_of(entry.key) for entry in self._listed("")])

    # ---- kept in step

    def sync_directory(self, directory: StrPath, verbose: bool = False, remote: str | None = None, *,
                       max_delete: int | None = None) -> SyncResult:
        """Make the bucket like a local directory; see `sync_files`. Symlinks that lead out of it are skipped, and what
        the bucket has below their names is kept, unless the bucket has `follow_external_symlinks`.

        Raises NoSuchDirectoryError (also an OSError) if it is not a directory; nothing was deleted.
        """
        files, skipped = local_tree(directory, "", self._store.options.follow_external_symlinks)
        check_disjoint(LocalStore(os.path.abspath(os.fspath(directory))), self._store)
        return self._sync(files, verbose, remote, max_delete, skipped)

    def sync_files(self, files: Mapping[str, StrPath], verbose: bool = False,
                   remote: str | None = None, *, max_delete: int | None = None) -> SyncResult:
        """Make the bucket like these files: upload those that are missing or different, then delete all others.

        Files are considered equal if name, size and digest are equal. If the store has no digest to compare, the file
        is uploaded. Nothing is deleted unless every upload succeeded.

        Args:
            files: a dict of names to local paths.
            verbose: print what is done.
            remote: the directory of the bucket to synchronize: names are relative to it, and nothing else is deleted.
                None: everything that this view shows.
            max_delete: do nothing at all if more files would be deleted, or if `files` is empty; None: no limit.

        Raises:
            MissingObjectError: (also a FileNotFoundError) a local file does not exist; nothing was changed.
            InvalidPathError: names conflict, or are outside of this view; nothing was changed.
        """
        return self._sync(files, verbose, remote, max_delete, ())

    def _sync(self, files: Mapping[str, StrPath], verbose: bool, remote: str | None,
              max_delete: int | None, skipped: Iterable[str]) -> SyncResult:
        beginning = f"{remote.strip('/')}/" if remote else ""
        shown = self._view.prefix_of(beginning)
        if shown is None:
            raise InvalidPathError("this prefix is outside of the keys that this view "
                                   "shows", path=beginning, store=self.description)
        keys = {self._view.key_of(beginning + name): os.path.abspath(path) for name, path in files.items()}
        self._check_local(keys.values())
        check_key_conflicts(self._store.here(), keys, same_files(keys))
        cut = shown.rfind("/") + 1
        kept = [self._view.key_of(beginning + name)[cut:] for name in skipped if self._view.shows(beginning + name)]
        source = LocalStore(os.sep, {key[cut:]: path for key, path in keys.items()}, self._store.width, skipped=kept)
        self._cache.drop()
        return sync(source, substore(self._store, shown[:cut]), delete=True, compare="digest", may_overlap=True,
                    include=lambda key: key.startswith(shown[cut:]), max_delete=max_delete,
                    announce=_announced if verbose else None)

    def _check_local(self, places: Iterable[str]) -> None:
        """Raise an error if a file is missing, or is inside the bucket, where the sync might delete it."""
        root = os.path.join(os.path.abspath(self._store.location.path or os.sep), "")
        for place in places:
            if not os.path.isfile(place):
                raise MissingObjectError("the local file does not exist; nothing was changed", path=place)
            if self._cf.protocol == "file" and place.startswith(root):
                raise InvalidInputError("the local file is inside the bucket; expected one outside of it", path=place)

    # ---- as a mapping; the rest of it by Storage

    def __contains__(self, remote: object) -> bool:
        return is_path(remote) and self._view.shows(as_path(remote)) and bool(
            self._cf.exists(self._view.key_of(as_path(remote))))


def _announced(action: str, key: str, why: str) -> None:
    print(f"{action} {key} ({why})")
