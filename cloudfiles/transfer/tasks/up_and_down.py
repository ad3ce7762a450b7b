"""`Uploader` and `Downloader`: a file, a tree or a glob, as one transfer that can be interrupted and gone on with."""

from __future__ import annotations

import itertools
import os
from typing import ClassVar

from cloudfiles.exceptions import PreconditionFailedError
from cloudfiles.sidebyside import check_side_by_side
from cloudfiles.store import Store
from cloudfiles.transfer.carrying.items import Item
from cloudfiles.transfer.resuming.saved import File
from cloudfiles.transfer.tasks.local_files import LocalStore
from cloudfiles.transfer.tasks.selecting import select_local, select_remote
from cloudfiles.transfer.tasks.task import TransferTask


class TargetExistsError(PreconditionFailedError, FileExistsError):
    """Something is there already, and `overwrite` was not given."""


_SHOWN = 5


def _exists(targets: list[str], where: str) -> TargetExistsError:
    shown = ", ".join(targets[:_SHOWN]) + (f" and {len(targets) - _SHOWN} more" if len(targets) > _SHOWN else "")
    return TargetExistsError(f"{where} already has {shown}; nothing was transferred. Use overwrite=True to replace "
                             "existing files, or load() to resume an interrupted transfer")


class Uploader(TransferTask):
    """Upload a local file, directory or glob.

    Args:
        store: a cloudpath or a CloudFiles.
        rpath: the key to upload to; for several files, or where it ends with '/' or is a directory, the directory to
            upload into.
        lpath: a file, a directory (with all below it), or a glob (without `**`). Symlinks that lead out of the
            directory are skipped, unless the store has `follow_external_symlinks`.
        nthreads: workers; None: those of the store.
        chunksize, buffersize, blocksize: in bytes. Checked, and otherwise left to the store: large files go in parts
            of the size that suits it.
        client: for compatibility; must be None.
        run: begin at once, and wait until it is done.
        overwrite: replace files of the same names. False: nothing is done where one is there, or, of several files,
            where the directory is there at all.
        verbose: print each file as it is done.
        progress_callback: called with `(current, total)`, in bytes over all files; total is None where it is not known.
        timeout: seconds after which the transfer stops; 0: none.
        clock: where time comes from.
        options: of CloudFiles, where a cloudpath is given.

    Raises:
        MissingObjectError: (also a FileNotFoundError) there is nothing to transfer.
        TargetExistsError: (also a FileExistsError) as `overwrite` says.
        InvalidPathError: names collide at the target, or would lead out of the directory; nothing was done.
        Others: as `run`.
    """

    kind: ClassVar[str] = "uploads"

    def _select(self) -> list[File]:
        selected = select_local(self.lpath, self._cf._store.options.follow_external_symlinks)
        self.skipped_symlinks = list(selected.skipped)
        into = self.rpath.lstrip("/")
        is_directory = not into or into.endswith("/") or (not selected.is_single or self._cf.isdir(into))
        beginning = into.rstrip("/") + "/" if is_directory and into else ""
        files = [File(beginning + name if is_directory else into, local, size)
                 for local, name, size in selected.files]
        targets = [file.remote for file in files]
        check_side_by_side(self._cf._store.here(), targets)
        if not self.overwrite:
            self._check_new(targets, None if selected.is_single else beginning)
        return files

    def _check_new(self, targets: list[str], beginning: str | None) -> None:
        there = [key for key, found in self._cf.exists(targets).items() if found]
        if not there and beginning is not None:
            there = list(itertools.islice(self._cf, 1)) if not beginning else [beginning] * self._cf.isdir(beginning)
        if there:
            raise _exists(there, self._cf.cloudpath)

    def _sides(self, files: list[File], store: Store) -> tuple[Store, Store, list[Item]]:
        places = {file.remote: file.local for file in files}
        return (LocalStore(os.sep, places, store.width), store,
                [Item(file.remote, file.remote, file.size) for file in files])


class Downloader(TransferTask):
    """Download an object, all objects below a directory, or a glob.

    Args:
        rpath: a key, a directory, or a glob (without `**`).
        lpath: the file to write; for several files, or where it is a directory, the directory to write into. It is
            created, and never left, whatever the keys are.
        overwrite: as for `Uploader`; an empty directory counts as none.
        Others: as `Uploader`.

    Contents are decoded by their Content-Encoding. Raises as `Uploader`.
    """

    kind: ClassVar[str] = "downloads"
    _reencode: ClassVar[str | None] = ""

    def _select(self) -> list[File]:
        selected = select_remote(self._cf, self.rpath)
        is_directory = not selected.is_single or os.path.isdir(self.lpath) or self.lpath.endswith(("/", os.sep))
        self.root = os.path.abspath(self.lpath if is_directory else os.path.dirname(os.path.abspath(self.lpath)))
        files = [File(key, name if is_directory else os.path.basename(self.lpath), size)
                 for key, name, size in selected.files]
        interface, targets = LocalStore(self.root).here(), [file.local for file in files]
        for target in targets:
            interface.check_target(target)
        check_side_by_side(interface, targets)
        if not self.overwrite:
            self._check_new(targets, selected.is_single)
        return files

    def _check_new(self, targets: list[str], is_single: bool) -> None:
        there = [target for target in targets if os.path.lexists(os.path.join(self.root, target))]
        if not there and not is_single and os.path.isdir(self.root):
            there = sorted(os.listdir(self.root))
        if there:
            raise _exists(there, self.root)

    def _sides(self, files: list[File], store: Store) -> tuple[Store, Store, list[Item]]:
        return (store, LocalStore(self.root, width=store.width),
                [Item(file.remote, file.local, file.size) for file in files])
