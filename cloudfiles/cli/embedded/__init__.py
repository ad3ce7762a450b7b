"""A small object server on loopback: something to show `cloudfiles` on, where there is no store at hand.

It speaks as much of S3 as a client of objects needs (path style, signatures are not looked at), keeps
everything in memory, and runs in a child process, so that client and server share no interpreter.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import cloudfiles
from cloudfiles.exceptions import CloudFilesError

SECRETS = {"AWS_ACCESS_KEY_ID": "EMBEDDED", "AWS_SECRET_ACCESS_KEY": "embedded", "AWS_DEFAULT_REGION": "us-east-1"}
"""Any key will do; requests are signed with this one, as they would be anywhere."""


@contextmanager
def object_server() -> Iterator[str]:
    """The URL of a server that lives as long as the block."""
    # `-m` looks into the working directory first: let that be where this package lies, and no other of its name.
    home = os.path.dirname(os.path.dirname(os.path.abspath(cloudfiles.__file__)))
    child = subprocess.Popen([sys.executable, "-m", __name__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=home)
    assert child.stdin is not None
    assert child.stdout is not None
    try:
        url = child.stdout.readline().decode().strip()
        if not url:
            raise CloudFilesError(f"the embedded server did not start (exit status {child.wait()})")
        yield url
    finally:
        child.stdin.close()  # by which it ends, as it also would if this process were killed
        child.stdout.close()
        child.wait()
