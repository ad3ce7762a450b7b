"""Transactions of `CloudFileSystem`: what is written appears at the end, in one batch."""

from __future__ import annotations

from typing import Any

from fsspec.transaction import Transaction


class CloudTransaction(Transaction):  # type: ignore[misc]  # fsspec has no types
    """`with fs.transaction:` the files that are opened for writing, or written by `pipe`, appear when the block ends
    without an exception; otherwise, none of them appears.

    If writing itself fails at the end, some of the files may have appeared, each of them complete.
    """

    def complete(self, commit: bool = True) -> None:
        fs: Any = self.fs
        if fs is None:  # it was completed already
            return
        files = list(self.files)
        fs._intrans = False
        self.files.clear()
        try:
            if commit:
                fs._commit(files)
        finally:
            for file in files:
                file.discard()
            super().complete(commit)
