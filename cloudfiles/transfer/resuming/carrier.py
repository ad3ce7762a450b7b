"""A carrier that puts down what it is at, so that the next run clears up after it and goes on from its parts."""

from __future__ import annotations

from dataclasses import replace

from cloudfiles.exceptions import CloudFilesError, TransportError
from cloudfiles.interfaces.base import Interface
from cloudfiles.runtime.base import Runtime
from cloudfiles.transfer.carrying.carrier import WHOLE_BYTES, Carrier
from cloudfiles.transfer.carrying.items import Item
from cloudfiles.transfer.carrying.result import Outcome
from cloudfiles.transfer.carrying.route import CarryOptions
from cloudfiles.transfer.resuming.shelf import Shelf


class ResumingCarrier(Carrier):
    """Carries as any other."""

    def __init__(self, source: Interface, target: Interface, runtime: Runtime | None, options: CarryOptions,
                 shelf: Shelf) -> None:
        super().__init__(source, target, runtime, replace(options, logs=shelf.logs(target)))
        self._shelf = shelf

    def carry_unless_large(self, item: Item) -> Outcome:
        self._shelf.begin(self.target, item.target, (item.size or 0) > WHOLE_BYTES)
        outcome = super().carry_unless_large(item)
        if outcome.status != "large":
            self._shelf.end(self.target, item.target)
        return outcome

    def carry_large(self, item: Item, objects: int = 1) -> Outcome:
        self._shelf.begin(self.target, item.target, is_large=True)
        try:
            outcome = super().carry_large(item, objects)
        except TransportError:  # its parts are left to go on from
            raise
        except CloudFilesError:
            self._shelf.end(self.target, item.target)
            raise
        self._shelf.end(self.target, item.target)
        return outcome
