"""A process that transfers and kills itself, as SIGKILL would at that point, in the midst of it."""

from __future__ import annotations

import functools
import itertools
import os
import signal
from collections.abc import Callable
from typing import Any

import pytest

from cloudfiles import CloudFiles, ResumableTransfer
from cloudfiles.interfaces.file import copy as file_copy
from cloudfiles.interfaces.file import file_io, file_part_writer, interface
from cloudfiles.interfaces.file import objects as file_objects
from cloudfiles.interfaces.file.file_part_writer import FilePartWriter
from cloudfiles.interfaces.gs.composite import CompositeUpload
from cloudfiles.interfaces.multipart import UploadWriter
from cloudfiles.interfaces.s3 import interface as s3_interface
from cloudfiles.transfer import resume_state
from cloudfiles.transfer.journal import journal
from cloudfiles.transport.client import Client
from tests.internals import PART, SMALL_PARTS, replace

_PARTS: tuple[tuple[Any, str], ...] = (
    (FilePartWriter, "write"), (FilePartWriter, "finish"), (FilePartWriter, "_create"), (UploadWriter, "write"),
    (UploadWriter, "finish"), (s3_interface, "open_part_writer"), (CompositeUpload, "_compose_parts"),
    (CompositeUpload, "clean"),
    (journal.Journal, "save_partial_uploads"))
"""What is done for large objects only."""

_COMPOSING: tuple[tuple[Any, str], ...] = (
    (UploadWriter, "finish"), (CompositeUpload, "_compose_parts"), (CompositeUpload, "clean"))
"""What the end of a large object on Cloud Storage takes, always in this order."""

_ANY: tuple[tuple[Any, str], ...] = (
    *_PARTS, (Client, "send"), (file_objects, "publish"), (file_copy, "publish"), (file_part_writer, "publish"),
    (file_io, "_fill"),
    (journal.Journal, "lease"), (journal.Journal, "record_results"), (journal.Journal, "set_large"),
    (journal.Journal, "hand_back"), (resume_state.StateFile, "add"), (resume_state.StateFile, "write"),
    (resume_state.StateFile, "remove"),
    (file_copy, "_copy_to_new"), (interface, "discard_temporaries_of"))

STEPS = {"any": _ANY, "parts": _PARTS, "composing": _COMPOSING}


def work(db: str, stores: tuple[str, str], secrets: Any, endpoint: str, die_at: int, steps: str) -> None:
    """Execute the journal; die before or after the step of this number, of those in `STEPS` under this name."""
    _arm(STEPS[steps], die_at)
    replace(pytest.MonkeyPatch(), journal_pause=0.0, **SMALL_PARTS)
    source, target = _stores(stores, secrets, endpoint)
    ResumableTransfer(db, src=source, dest=target).execute(block_size=50)


def transfer(stores: tuple[str, str], secrets: Any, endpoint: str, home: str, die_at: int) -> None:
    """Transfer from one store to the other, to be gone on with; die before or after the step of this number."""
    os.environ["CLOUD_FILES_DIR"] = home
    _arm(_ANY, die_at)
    replace(pytest.MonkeyPatch(), saving_seconds=0.0, **SMALL_PARTS)
    source, target = _stores(stores, secrets, endpoint)
    source.transfer_to(target, resumable=True)


def _arm(steps: tuple[tuple[Any, str], ...], die_at: int) -> None:
    countdown = itertools.count(die_at, -1)
    for owner, name in steps:
        setattr(owner, name, _deadly(getattr(owner, name), countdown))


def _stores(paths: tuple[str, str], secrets: Any, endpoint: str) -> tuple[CloudFiles, CloudFiles]:
    source, target = (CloudFiles(path) if path.startswith("file:") else opened(path, secrets, endpoint)
                      for path in paths)
    return source, target


def opened(path: str, secrets: Any, endpoint: str) -> CloudFiles:
    """A place in a cloud; on Cloud Storage large objects are worth parts."""
    threshold = {"composite_upload_threshold": PART} if path.startswith("gs:") else {}
    return CloudFiles(path, secrets=secrets, endpoint=endpoint, **threshold)


def _deadly(function: Callable[..., Any], countdown: Any) -> Callable[..., Any]:
    @functools.wraps(function)
    def step(*args: Any, **kwargs: Any) -> Any:
        _die_at_zero(countdown)
        result = function(*args, **kwargs)
        _die_at_zero(countdown)
        return result

    return step


def _die_at_zero(countdown: Any) -> None:
    if next(countdown) == 0:
        os.kill(os.getpid(), signal.SIGKILL)
