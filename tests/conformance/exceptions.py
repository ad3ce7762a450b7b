"""What a store cannot do, and why: every exception to the suite stands here.

An exception that no longer holds fails: the test is run and has to fail.
"""

from __future__ import annotations

from collections.abc import Mapping

_NO_PUT = "http has no way to"

EXCEPTIONS: Mapping[tuple[str, str], str] = {
}
"""(store, test function) -> the server's fault or the protocol's limit."""
