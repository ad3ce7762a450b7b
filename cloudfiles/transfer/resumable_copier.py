"""A carrier that puts down what it is at, so that the next run clears up after it and goes on from its parts."""

from __future__ import annotations

from dataclasses import replace

from cloudfiles.exceptions import CloudFilesError, TransportError
from cloudfiles.interfaces.base import Interface
from cloudfiles.runtime.base import Runtime
from cloudfiles.transfer.copier import WHOLE_BYTES, Copier
from cloudfiles.transfer.items import Item
from cloudfiles.transfer.result import ObjectOutcome
from cloudfiles.transfer.resume_store import ResumeStore
from cloudfiles.transfer.route import CopierOptions


class ResumableCopier(Copier):
    """Carries as any other."""

    def __init__(self, source: Interface, target: Interface, runtime: Runtime | None, options: CopierOptions,
                 resume_store: ResumeStore) -> None:
        super().__init__(source, target, runtime, replace(options, trackers=resume_store.trackers(target)))
        self._resume_store = resume_store

    def copy_unless_large(self, item: Item) -> ObjectOutcome:
        self._resume_store.begin(self.target, item.target, (item.size or 0) > WHOLE_BYTES)
        outcome = super().copy_unless_large(item)
        if outcome.status != "large":
            self._resume_store.end(self.target, item.target)
        return outcome

    def copy_large_object(self, item: Item, objects: int = 1) -> ObjectOutcome:
        self._resume_store.begin(self.target, item.target, is_large=True)
        try:
            outcome = super().copy_large_object(item, objects)
        except TransportError:  # its parts are left to go on from
            raise
        except CloudFilesError:
            self._resume_store.end(self.target, item.target)
            raise
        self._resume_store.end(self.target, item.target)
        return outcome
