"""azure-identity's default chain: environment, workload identity, managed identity, and sign-ins of developers."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from cloudfiles.credentials.azure_sources import AzureCredentials
from cloudfiles.exceptions import AuthorizationError, MissingExtraError

SCOPE = "https://storage.azure.com/.default"
"""The scope of tokens: Azure Storage, in every account and cloud ("Authorize with Microsoft Entra ID")."""


def load(scope: str = SCOPE) -> AzureCredentials:
    """A token of azure-identity. Blocks: it may run programs and send requests.

    Each call uses a new chain, so that new sign-ins and rotated secrets are used.

    Raises:
        MissingExtraError: azure-identity is not installed.
        AuthorizationError: no credential of the chain returned a token; the message lists why.
    """
    try:
        from azure.core.exceptions import AzureError
        from azure.identity import DefaultAzureCredential
    except ImportError as error:
        raise MissingExtraError("azure-identity is not installed: pip install 'cloudfiles[azure]'") from error
    try:
        with _without_warnings(), DefaultAzureCredential() as chain:
            token = chain.get_token(scope)
    except (AzureError, ValueError) as error:
        raise AuthorizationError(f"azure-identity found no token: {error}") from error
    return AzureCredentials(token=token.token, expiry=float(token.expires_on), source="azure-identity")


@contextmanager
def _without_warnings() -> Iterator[None]:
    """Suppress log messages of the chain in this thread: one that finds nothing logs a page of warnings. They are in
    the error that follows, too, and no problem for a public container."""
    import logging  # here, as most programs never log anything

    thread = threading.get_ident()
    logger = logging.getLogger("azure.identity._credentials.chained")

    def is_others(record: logging.LogRecord) -> bool:
        return record.thread != thread

    logger.addFilter(is_others)
    try:
        yield
    finally:
        logger.removeFilter(is_others)
