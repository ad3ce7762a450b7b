"""azure-identity's default chain: environment, workload identity, managed identity, and developers' sign-ins."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from cloudfiles.credentials.azure_sources import AzureCredentials
from cloudfiles.exceptions import AuthorizationError, MissingExtraError

SCOPE = "https://storage.azure.com/.default"
"""What a token is asked for: Azure Storage, in every account and cloud ("Authorize with Microsoft Entra ID")."""


def load() -> AzureCredentials:
    """A token that azure-identity finds now. Blocks: it may run programs and ask servers.

    A new chain each time: what was signed in or rotated meanwhile counts.

    Raises:
        MissingExtraError: azure-identity is not installed.
        AuthorizationError: no member of the chain has a token; the message says how each of them failed.
    """
    try:
        from azure.core.exceptions import AzureError
        from azure.identity import DefaultAzureCredential
    except ImportError as error:
        raise MissingExtraError("azure-identity is not installed: pip install 'cloudfiles[azure]'") from error
    try:
        with _said_once(), DefaultAzureCredential() as chain:
            token = chain.get_token(SCOPE)
    except (AzureError, ValueError) as error:
        raise AuthorizationError(f"azure-identity found no token: {error}") from error
    return AzureCredentials(token=token.token, expiry=float(token.expires_on), source="azure-identity")


@contextmanager
def _said_once() -> Iterator[None]:
    """A chain that finds nothing logs a page of warnings, which is in the error that follows as well, and is none where
    a public container is read without credentials: it is kept from being logged by this thread."""
    thread = threading.get_ident()
    logger = logging.getLogger("azure.identity._credentials.chained")

    def is_others(record: logging.LogRecord) -> bool:
        return record.thread != thread

    logger.addFilter(is_others)
    try:
        yield
    finally:
        logger.removeFilter(is_others)
