"""Recognizes errors of TLS without importing `ssl`, which takes long and which plain HTTP does not need."""

from __future__ import annotations

import sys


def is_tls_error(error: BaseException | None, kind: str = "SSLError") -> bool:
    """Whether `error` is of the class `kind` of `ssl`. Without the module there are no such errors."""
    ssl = sys.modules.get("ssl")
    return ssl is not None and isinstance(error, getattr(ssl, kind))
