"""Google credentials for many workers: found once, renewed early, by one worker for all.

Places in order: `secrets=`, secrets files, Google's application default credentials. Where
none holds any, requests go without, which public buckets allow.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from cloudfiles.credentials.google_chain import GoogleChain
from cloudfiles.credentials.google_sources import GoogleSigner, GoogleToken, Source, kind_of, sources
from cloudfiles.credentials.renewal import Fetched, Renewal, renewal_time
from cloudfiles.credentials.secrets_files import Secrets
from cloudfiles.exceptions import CloudFilesError, ConfigurationError, MissingExtraError

__all__ = ["SourceReport", "GoogleProvider", "GoogleSigner", "GoogleToken"]

REFRESH_EARLY = 225.0
"""Seconds before the expiry at which a new token is fetched. The metadata server gives the same one until five
minutes before (Compute Engine docs, "Authenticate workloads using service accounts")."""

DEFAULT_CHAIN = "application default credentials"

log = logging.getLogger("cloudfiles")


class SourceReport(NamedTuple):
    """A place and what was found there, without a secret."""

    source: str
    found: str


def _call(function: Callable[..., Any], *args: Any) -> Any:
    return function(*args)


class GoogleProvider:
    """The credentials of one bucket. Safe to share between threads and greenlets, and across a fork.

    Args:
        bucket: its own secrets file comes before the general one.
        secrets: a dict, JSON text or the path of a JSON file, which come before everything else.
        anonymous: requests go without credentials.
        explicit_only: nothing but `secrets` counts: for servers that are not Google's, whose operators could use
            what they are sent.
        clock: seconds since the epoch.
        environ: the environment; google-auth reads the process's own.
        sleep: how a worker waits for another one's renewal.
        run_in_thread: calls a blocking function so that other workers go on.
        chain: google-auth.
    """

    def __init__(self, bucket: str = "", secrets: Secrets | None = None, *, anonymous: bool = False,
                 explicit_only: bool = False, clock: Callable[[], float] = time.time,
                 environ: Mapping[str, str] | None = None, sleep: Callable[[float], None] = time.sleep,
                 run_in_thread: Callable[..., Any] = _call, chain: GoogleChain | None = None) -> None:
        self._bucket = bucket
        self._secrets = secrets
        self._anonymous = anonymous
        self._explicit_only = explicit_only
        self._clock = clock
        self._environ = os.environ if environ is None else environ
        self._offload = run_in_thread
        self._chain = chain or GoogleChain()
        self._default: Any = None  # google-auth's, once it found them
        self._renewal: Renewal[GoogleToken] = Renewal(self._fetch, clock, sleep)
        self.get = self._renewal.get
        """The token that is valid now, one comparison where it is fresh; without authorization where there is none.

        Raises:
            ConfigurationError: a place holds something that cannot be used.
            AuthorizationError: a source was asked and failed.
            MissingExtraError: credentials are configured, and google-auth is not installed.
        """

    def __repr__(self) -> str:
        current = self._renewal.current
        return f"GoogleProvider(bucket={self._bucket!r}, {current.value if current else 'nothing fetched'})"

    def close(self) -> None:
        """Nothing stays open between two renewals."""

    def refresh(self, rejected: GoogleToken) -> GoogleToken:
        """A token in place of `rejected`, which the server refused: once for all workers that were refused."""
        return rejected if not rejected.authorization else self._renewal.refresh(rejected)

    def project(self) -> str | None:
        """The project to bill: the environment's, else that of the credentials."""
        return self._environ.get("GOOGLE_CLOUD_PROJECT") or self.get().project

    # ---- looking

    def _fetch(self) -> Fetched[GoogleToken]:
        token = self._find()
        return Fetched(token, renewal_time(token.expiry, REFRESH_EARLY, self._clock()), token.expiry)

    def _find(self) -> GoogleToken:
        if self._anonymous:
            return GoogleToken("", "no_sign_request")
        looked = []
        for source in self._places():
            if source.values is not None:
                return self._from_place(source, source.values)
            looked.append(source.name)
        return self._from_default_chain() or self._unsigned(looked)

    def _places(self) -> Iterator[Source]:
        if self._explicit_only and self._secrets is None:
            return iter(())
        return sources(self._secrets, self._bucket, self._environ)

    def _from_place(self, source: Source, values: Mapping[str, Any]) -> GoogleToken:
        if kind_of(source.name, values) == "token":
            return GoogleToken(f"Bearer {values['token'].strip()}", source.name, values.get("project_id"))
        loaded = self._offload(self._chain.from_values, source.name, values)
        token: GoogleToken = self._offload(self._chain.token, loaded, source.name)
        return token

    def _from_default_chain(self) -> GoogleToken | None:
        if self._explicit_only:
            return None
        if self._default is None:
            try:
                self._default = self._offload(self._chain.default)
            except MissingExtraError:
                if self._environ.get("GOOGLE_APPLICATION_CREDENTIALS"):
                    raise
        if self._default is None:
            return None
        token: GoogleToken = self._offload(self._chain.token, self._default, DEFAULT_CHAIN)
        return token

    def _unsigned(self, looked: list[str]) -> GoogleToken:
        if not self._explicit_only:
            log.info("gs://%s: no Google credentials found in %s: sending requests without credentials, which only "
                     "public buckets accept",
                     self._bucket, ", ".join([*looked, DEFAULT_CHAIN]))
        return GoogleToken("", "nothing configured")

    # ---- explaining

    def explain(self) -> list[SourceReport]:
        """Every place in order and what is there, without a secret. Looks into all, google-auth's chain included.

        Ends at a place that `get` would stumble over.
        """
        if self._anonymous:
            return [SourceReport("no_sign_request", "requests are not signed")]
        findings = []
        try:
            for source in self._places():
                findings.append(SourceReport(source.name, source.describe()))
        except ConfigurationError as error:
            return [*findings, SourceReport("error", str(error))]
        found = any(finding.found != "nothing" for finding in findings)
        default = SourceReport(DEFAULT_CHAIN, self._explain_default())
        if not found and default.found.startswith(("nothing", "not searched")):
            return [*findings, default, SourceReport(
                "without credentials", "requests are not signed: only public buckets can be accessed")]
        return [*findings, default]

    def _explain_default(self) -> str:
        if self._explicit_only:
            return "not searched, nor are secrets files: the endpoint is not Google's"
        try:
            found = self._offload(self._chain.default)
        except MissingExtraError as error:
            return f"nothing: {error}"
        except CloudFilesError as error:
            return str(error)
        if found is None:
            return "nothing"
        credentials, project = found
        email = getattr(credentials, "service_account_email", "")
        return (type(credentials).__module__.rpartition(".")[2].replace("_", " ")
                + (f" {email}" if email else "") + (f", project {project}" if project else ""))
