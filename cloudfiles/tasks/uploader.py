"""`Uploader`: uploads a local file, a directory or a glob."""

from __future__ import annotations

import itertools
import os
from typing import ClassVar

from cloudfiles.batch.store import Store
from cloudfiles.key_conflicts import check_key_conflicts
from cloudfiles.tasks.file_selection import select_local
from cloudfiles.tasks.transfer_task import TransferTask, target_exists
from cloudfiles.transfer.items import Item
from cloudfiles.transfer.local_files import LocalStore, same_files
from cloudfiles.transfer.resume_state import TransferFile


class Uploader(TransferTask):
    """Upload a local file, directory or glob.

    Args:
        store: a cloudpath or a CloudFiles.
        rpath: the key to upload to; for several files, or if it ends with '/' or is a directory, the directory to
            upload into.
        lpath: a file, a directory (with everything below it), or a glob (without `**`). Symlinks that lead out of the
            directory are skipped, unless the store has `follow_external_symlinks`.
        nthreads: number of workers; None: that of the store.
        chunksize, buffersize, blocksize: in bytes. They are checked, but otherwise not used: large files are sent in
            parts of a size that suits the store.
        client: accepted for compatibility; must be None.
        run: start at once, and wait until the upload is finished.
        overwrite: replace existing files of the same names. False: nothing is done if one of them exists or, for
            several files, if the directory exists.
        verbose: print each file when it is done.
        progress_callback: called with `(current, total)`, in bytes over all files; total is None if it is not known.
        timeout: seconds after which the transfer stops; 0: no timeout.
        clock: the clock to use.
        options: options of CloudFiles, if `store` is a cloudpath.

    Raises:
        MissingObjectError: (also a FileNotFoundError) there is nothing to transfer.
        TargetExistsError: (also a FileExistsError) see `overwrite`.
        InvalidPathError: names conflict at the target, or lead out of the directory; nothing was changed.
        Others: as `run`.
    """

    kind: ClassVar[str] = "uploads"

    def _select(self) -> list[TransferFile]:
        selected = select_local(self.lpath, self._cf._store.options.follow_external_symlinks)
        self.skipped_symlinks = list(selected.skipped)
        into = self.rpath.lstrip("/")
        is_directory = not into or into.endswith("/") or (not selected.is_single or self._cf.isdir(into))
        beginning = into.rstrip("/") + "/" if is_directory and into else ""
        files = [TransferFile(beginning + name if is_directory else into, local, size)
                 for local, name, size in selected.files]
        targets = [file.remote for file in files]
        check_key_conflicts(self._cf._store.here(), targets, same_files({file.remote: file.local for file in files}))
        if not self.overwrite:
            self._check_new(targets, None if selected.is_single else beginning)
        return files

    def _check_new(self, targets: list[str], beginning: str | None) -> None:
        there = [key for key, found in self._cf.exists(targets).items() if found]
        if not there and beginning is not None:
            there = list(itertools.islice(self._cf, 1)) if not beginning else [beginning] * self._cf.isdir(beginning)
        if there:
            raise target_exists(there, self._cf.cloudpath)

    def _sides(self, files: list[TransferFile], store: Store) -> tuple[Store, Store, list[Item]]:
        paths = {file.remote: file.local for file in files}
        return (LocalStore(os.sep, paths, store.width), store,
                [Item(file.remote, file.remote, file.size) for file in files])
