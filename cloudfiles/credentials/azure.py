"""Azure credentials, from `secrets=`, secrets files, the environment or azure-identity's default chain."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from cloudfiles import logger
from cloudfiles.credentials import azure_chain
from cloudfiles.credentials.azure_sources import AzureCredentials, AzureSource, azure_sources, credentials_of
from cloudfiles.credentials.provider import CredentialProvider
from cloudfiles.credentials.secrets_files import Secrets
from cloudfiles.exceptions import AuthorizationError, MissingCredentialsError

__all__ = ["AzureCredentials", "AzureProvider"]


class AzureProvider(CredentialProvider[AzureSource, "AzureCredentials | None"]):
    """The credentials of one container; None for anonymous access.

    Args:
        container: its own secrets file comes before the general one.
        account: the storage account, if the cloudpath names it; credentials of other accounts are not used.
        or_anonymous: where no credentials are found, access anonymously instead of raising an error.
        chain: azure-identity's chain.
        options: see CredentialProvider.
    """

    chain_name = "azure-identity's default chain"

    def __init__(self, container: str = "", account: str | None = None, secrets: Secrets | None = None, *,
                 or_anonymous: bool = False, chain: Callable[[], AzureCredentials] = azure_chain.load,
                 **options: Any) -> None:
        super().__init__(secrets, **options)
        self._container = container
        self._account = account
        self._or_anonymous = or_anonymous
        self._chain = chain

    def location(self) -> tuple[str | None, str | None]:
        """Account and Blob service endpoint as configured, also for anonymous access. Sends no request."""
        searched = self._search()[0]
        mine = [source.values for source in reversed(searched)
                if self._account is None or source.values.get("account", self._account) == self._account]
        account = next((values["account"] for values in mine if "account" in values), self._account)
        return account, next((values["endpoint"] for values in mine if "endpoint" in values), None)

    def _label(self) -> str:
        return repr(self._container)

    def _sources(self) -> Iterator[AzureSource]:
        return azure_sources(self._secrets, self._container, self._account, self._environ)

    def _has_credentials(self, source: AzureSource) -> bool:
        return source.opens(self._account)

    def _describe(self, source: AzureSource) -> str:
        return source.describe(self._account)

    def _unsigned(self) -> None:
        return None

    def _read(self, source: AzureSource, searched: list[AzureSource]) -> AzureCredentials:
        return credentials_of(source, self._account)

    def _ask_chain(self, searched: list[AzureSource]) -> AzureCredentials | None:
        try:
            token: AzureCredentials = self._run_in_thread(self._chain)
        except (AuthorizationError, ImportError) as error:
            names = ", ".join(source.name for source in searched)
            missing = MissingCredentialsError(
                f"no Azure credentials found: searched {names}, and {self.chain_name} ({error}). For a public "
                "container, use no_sign_request=True")
            if not self._or_anonymous:
                raise missing from error
            logger.info("%s: reading without credentials: %s", self._container, missing)
            return None
        return token.replace(account=token.account or self._account)

    def _describe_chain(self) -> str:
        self._run_in_thread(self._chain)
        return "a token"
