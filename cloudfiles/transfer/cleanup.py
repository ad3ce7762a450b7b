"""Where a run may leave something behind if it is killed, and the clearing up after it."""

from __future__ import annotations

import warnings
from collections.abc import Collection

from cloudfiles.exceptions import CloudFilesError, TransportError
from cloudfiles.interfaces.base import Interface
from cloudfiles.interfaces.part_writer import InterruptedWrites
from cloudfiles.transfer.resume_state import ResumeState

SKEW = 900.0
"""Seconds by which clocks of stores may differ from the one here: S3 refuses requests beyond that."""


def cleanup_scope(target: Interface, key: str, is_large: bool) -> str | None:
    """What to put down before an object is written: the directory of a local file, which gets temporary ones, and the
    key of a large object anywhere else; None: nothing can be left."""
    if target.is_local:
        return key[:key.rfind("/") + 1]
    return key if is_large else None


def clean_up(target: Interface, state: ResumeState, under_way: Collection[str] = ()) -> None:
    """Remove what a run that is gone has left, but for what it kept to go on with.

    under_way: keys that other runs are at: uploads are known by their key alone, temporary files by their process.
    Raises TransportError; what else keeps it from being done is a warning.
    """
    keys = [f"{scope}x" for scope in state.begun] if target.is_local else [*state.begun.difference(under_way)]
    if not keys:
        return
    kept = [partial.state for partial in state.partial_uploads.values()]
    process, since = state.request.get("process", ""), state.request.get("since", 0.0)
    try:
        target.discard_interrupted(InterruptedWrites(keys, since - SKEW, [process], kept))
    except TransportError:
        raise
    except CloudFilesError as error:
        warnings.warn(f"partial uploads of an interrupted run could not be removed: {error}. Try again with "
                      "discard_partial()",
                      stacklevel=2)
