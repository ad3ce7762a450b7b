"""The name under which version 1.0 has pickled resumable transfers, so that its pickles can be read."""

from cloudfiles.transfer.journal.resumable_transfer import ResumableTransfer

__all__ = ["ResumableTransfer"]
