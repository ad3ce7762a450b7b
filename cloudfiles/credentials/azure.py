"""Azure credentials for many workers: found once, refreshed early, by one worker for all.

Places in order: `secrets=`, secrets files, the environment, azure-identity's default chain.
"""

from __future__ import annotations

import logging
import math
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import replace

from cloudfiles.credentials import azure_chain
from cloudfiles.credentials.azure_sources import AzureCredentials, AzureSource, credentials, sources
from cloudfiles.credentials.renewal import Fetched, Renewal, renewal_time
from cloudfiles.credentials.secrets_files import Secrets
from cloudfiles.exceptions import AuthorizationError, CloudFilesError, ConfigurationError, MissingCredentialsError

__all__ = ["AzureCredentials", "AzureProvider"]

log = logging.getLogger("cloudfiles")

REFRESH_EARLY = 300.0
"""Seconds before the expiry at which a new token is fetched. Tokens live for an hour or more."""

LOOK_AGAIN = 60.0
"""Seconds after which a secrets file is looked at again: it may have been rotated."""

Chain = Callable[[], AzureCredentials]


def _call(function: Chain) -> AzureCredentials:
    return function()


class AzureProvider:
    """The credentials of one container. Safe to share between threads and greenlets, and across a fork.

    Args:
        container: its own secrets file comes before the general one.
        account: the storage account where the cloudpath names it: what opens another one is passed over.
        secrets: a dict, JSON text or the path of a JSON file, which come before everything else.
        anonymous: requests carry nothing; `get` answers None.
        or_anonymous: the same where no credentials are found, rather than an error; the log says so.
        clock: seconds since the epoch.
        environ: the environment; azure-identity reads the process's own.
        sleep: how a worker waits for another one's refresh.
        run_in_thread: calls a blocking function so that other workers go on.
        chain: azure-identity's chain.
    """

    def __init__(self, container: str = "", account: str | None = None, secrets: Secrets | None = None, *,
                 anonymous: bool = False, or_anonymous: bool = False, clock: Callable[[], float] = time.time,
                 environ: Mapping[str, str] | None = None, sleep: Callable[[float], None] = time.sleep,
                 run_in_thread: Callable[[Chain], AzureCredentials] = _call, chain: Chain = azure_chain.load) -> None:
        self._container = container
        self._account = account
        self._secrets = secrets
        self._anonymous = anonymous
        self._clock = clock
        self._environ = os.environ if environ is None else environ
        self._offload = run_in_thread
        self._chain = chain
        self._or_anonymous = or_anonymous
        self._renewal: Renewal[AzureCredentials | None] = Renewal(self._fetch, clock, sleep)

    def __repr__(self) -> str:
        current = self._renewal.current
        return f"AzureProvider({self._container!r}, {current.value if current else 'nothing fetched'})"

    def get(self) -> AzureCredentials | None:
        """Credentials that are valid now; None for anonymous. One comparison where they are fresh.

        Raises:
            MissingCredentialsError: there are none; says where they were looked for.
            ConfigurationError: a place holds something that cannot be used.
        """
        return None if self._anonymous else self._renewal.get()

    def refresh(self, rejected: AzureCredentials) -> AzureCredentials | None:
        """Credentials in place of `rejected`, which the server refused; the same where there are no others.

        Looks into all places anew, once for all workers that were rejected.
        """
        return None if self._anonymous else self._renewal.refresh(rejected)

    def location(self) -> tuple[str | None, str | None]:
        """Account and endpoint of the Blob service as configured, also for anonymous access. Asks no server."""
        looked = self._look()[0]
        mine = [source.values for source in reversed(looked)
                if self._account is None or source.values.get("account", self._account) == self._account]
        account = next((values["account"] for values in mine if "account" in values), self._account)
        return account, next((values["endpoint"] for values in mine if "endpoint" in values), None)

    def explain(self) -> list[tuple[str, str]]:
        """Every place in order and what is there, without a secret. Looks into all, azure-identity's chain included.

        Ends at a place that `get` would stumble over.
        """
        if self._anonymous:
            return [("no_sign_request", "requests are not signed")]
        findings = []
        try:
            for source in self._places():
                findings.append((source.name, source.describe(self._account)))
        except ConfigurationError as error:
            return [*findings, ("error", str(error))]
        return [*findings, ("azure-identity's default chain", self._explain_chain())]

    def _explain_chain(self) -> str:
        try:
            self._offload(self._chain)
        except CloudFilesError as error:
            return str(error)
        return "a token"

    # ---- looking

    def _places(self) -> list[AzureSource]:
        return list(sources(self._secrets, self._container, self._account, self._environ))

    def _look(self) -> tuple[list[AzureSource], AzureSource | None]:
        """The places up to the first that opens the account, and that one."""
        looked = []
        for source in sources(self._secrets, self._container, self._account, self._environ):
            looked.append(source)
            if source.opens(self._account):
                return looked, source
        return looked, None

    def _fetch(self) -> Fetched[AzureCredentials | None]:
        looked, holder = self._look()
        if holder is not None:
            # A file may be rotated at any time.
            until = self._clock() + LOOK_AGAIN if holder.file else math.inf
            return Fetched(credentials(holder, self._account), until)
        try:
            token = self._ask_chain(looked)
        except MissingCredentialsError as error:
            if not self._or_anonymous:
                raise
            log.info("%s: reading without credentials: %s", self._container, error)
            return Fetched(None)
        return Fetched(token, renewal_time(token.expiry, REFRESH_EARLY, self._clock()), token.expiry)

    def _ask_chain(self, looked: list[AzureSource]) -> AzureCredentials:
        try:
            token = self._offload(self._chain)
        except (AuthorizationError, ImportError) as error:
            names = ", ".join(source.name for source in looked)
            raise MissingCredentialsError(
                f"no Azure credentials found: searched {names}, and azure-identity's default chain ({error}). For a "
                "public container, use no_sign_request=True") from error
        return replace(token, account=token.account or self._account)
