"""`Downloader`: downloads an object, a directory or a glob."""

from __future__ import annotations

import os
from operator import attrgetter
from typing import ClassVar

from cloudfiles.batch.store import Store
from cloudfiles.key_conflicts import find_key_conflict
from cloudfiles.tasks.file_selection import select_remote
from cloudfiles.tasks.transfer_task import TransferTask, target_exists
from cloudfiles.transfer.items import Item
from cloudfiles.transfer.local_files import LocalStore
from cloudfiles.transfer.resume_state import TransferFile


class Downloader(TransferTask):
    """Download an object, all objects below a directory, or a glob.

    Args:
        rpath: a key, a directory, or a glob (without `**`).
        lpath: the file to write; for several files, or if it is a directory, the directory to write into. It is
            created, and nothing is written outside of it, whatever the keys are.
        overwrite: as for `Uploader`; an empty directory does not count as existing.
        Others: as for `Uploader`.

    Contents are decoded by their Content-Encoding. Raises the same exceptions as `Uploader`.
    """

    kind: ClassVar[str] = "downloads"
    _encoding: ClassVar[str | None] = ""

    def _select(self) -> list[TransferFile]:
        selected = select_remote(self._cf, self.rpath)
        is_directory = not selected.is_single or os.path.isdir(self.lpath) or self.lpath.endswith(("/", os.sep))
        self.root = os.path.abspath(self.lpath if is_directory else os.path.dirname(os.path.abspath(self.lpath)))
        files = [TransferFile(key, name if is_directory else os.path.basename(self.lpath), size)
                 for key, name, size in selected.files]
        interface, targets = LocalStore(self.root).here(), [file.local for file in files]
        for target in targets:
            interface.check_target(target)
        find_key_conflict(interface, files, attrgetter("local"), source=self._cf._store.here(),
                          source_key=attrgetter("remote"))
        if not self.overwrite:
            self._check_new(targets, selected.is_single)
        return files

    def _check_new(self, targets: list[str], is_single: bool) -> None:
        there = [target for target in targets if os.path.lexists(os.path.join(self.root, target))]
        if not there and not is_single and os.path.isdir(self.root):
            there = sorted(os.listdir(self.root))
        if there:
            raise target_exists(there, self.root)

    def _sides(self, files: list[TransferFile], store: Store) -> tuple[Store, Store, list[Item]]:
        return (store, LocalStore(self.root, width=store.width),
                [Item(file.remote, file.local, file.size) for file in files])
