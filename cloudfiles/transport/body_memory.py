"""How much memory the response bodies that are being received may take."""

from __future__ import annotations

import os
import threading

from cloudfiles.inputs import environment_count
from cloudfiles.transport.budget import Budget

BODY_MEMORY = 512 << 20
"""Bytes for all bodies of the process, unless CLOUDFILES_BODY_MEMORY says otherwise."""

COPY_MEMORY = 256 << 20
"""Bytes for all objects that are read as a whole and written elsewhere by this process."""

SMALL_BODY = 64 << 10
"""Bodies up to this size are not counted: 1024 of them take 64 MiB."""


def body_memory_limit() -> int:
    """Bytes for all bodies of the process. Raises ConfigurationError if the environment variable is invalid."""
    return environment_count("CLOUDFILES_BODY_MEMORY", BODY_MEMORY)


_bodies: Budget | None = None
_creating = threading.Lock()


def process_body_memory() -> Budget:
    """Bytes for the bodies of this process: the Content-Length of each is reserved before it is read.

    Raises ConfigurationError if the environment variable is invalid, when it is needed first: before anything is sent.
    """
    global _bodies
    if _bodies is None:
        with _creating:
            _bodies = _bodies or Budget(body_memory_limit())
    return _bodies


process_copy_memory = Budget(COPY_MEMORY)
"""For objects that are copied, from the start of reading to the end of writing: their bodies count in both."""


def _after_fork_in_child() -> None:
    global _bodies, _creating
    _bodies, _creating = None, threading.Lock()  # the bodies are the parent's
    process_copy_memory.__init__(COPY_MEMORY)  # type: ignore[misc]


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)
