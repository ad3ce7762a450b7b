"""Google credentials, from `secrets=`, secrets files or Google's application default credentials.

Without any, requests are sent unsigned, which public buckets accept.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from cloudfiles import logger
from cloudfiles.credentials.credential_sources import CredentialSource, SourceReport
from cloudfiles.credentials.google_chain import GoogleChain
from cloudfiles.credentials.google_sources import GoogleSigner, GoogleToken, describe, google_sources, kind_of
from cloudfiles.credentials.provider import CredentialProvider
from cloudfiles.credentials.secrets_files import Secrets
from cloudfiles.exceptions import MissingExtraError

__all__ = ["GoogleProvider", "GoogleSigner", "GoogleToken"]

REFRESH_EARLY = 225.0
"""Seconds before the expiry at which a new token is fetched. The metadata server returns the same one until five
minutes before (Compute Engine docs, "Authenticate workloads using service accounts")."""


class GoogleProvider(CredentialProvider[CredentialSource, GoogleToken]):
    """The tokens of one bucket; one without an authorization for anonymous access.

    Args:
        bucket: its own secrets file comes before the general one.
        explicit_only: use nothing but `secrets`. For servers that are not Google's: their operators could use any
            token that they are sent.
        chain: google-auth.
        options: see CredentialProvider.
    """

    chain_name = "application default credentials"
    refresh_early = REFRESH_EARLY
    recheck_files = math.inf  # a token is exchanged for the file's credentials, and renewed when it expires

    def __init__(self, bucket: str = "", secrets: Secrets | None = None, *, explicit_only: bool = False,
                 chain: GoogleChain | None = None, **options: Any) -> None:
        super().__init__(secrets, **options)
        self._bucket = bucket
        self._explicit_only = explicit_only
        self._chain = chain or GoogleChain()
        self._default: Any = None  # google-auth's default credentials, once it has found them

    def refresh(self, rejected: GoogleToken) -> GoogleToken:
        return rejected if not rejected.authorization else super().refresh(rejected)

    def project(self) -> str | None:
        """The project to bill: the environment's, else that of the credentials."""
        return self._environ.get("GOOGLE_CLOUD_PROJECT") or self.get().project

    def close(self) -> None:
        """Nothing is open between two renewals."""

    def _label(self) -> str:
        return f"bucket={self._bucket!r}"

    def _sources(self) -> Iterator[CredentialSource]:
        if self._explicit_only and self._secrets is None:
            return iter(())
        return google_sources(self._secrets, self._bucket, self._environ)

    def _has_credentials(self, source: CredentialSource) -> bool:
        return source.exists

    def _describe(self, source: CredentialSource) -> str:
        return describe(source)

    def _unsigned(self) -> GoogleToken:
        return GoogleToken("", "no_sign_request")

    def _read(self, source: CredentialSource, searched: list[CredentialSource]) -> GoogleToken:
        name, values = source.name, source.values
        if kind_of(name, values) == "token":
            return GoogleToken(f"Bearer {values['token'].strip()}", name, values.get("project_id"))
        loaded = self._run_in_thread(self._chain.from_values, name, values)
        token: GoogleToken = self._run_in_thread(self._chain.token, loaded, name)
        return token

    def _ask_chain(self, searched: list[CredentialSource]) -> GoogleToken:
        token = None if self._explicit_only else self._default_token()
        if token is not None:
            return token
        if not self._explicit_only:
            logger.info("gs://%s: no Google credentials found in %s: sending requests without credentials, which only "
                        "public buckets accept", self._bucket,
                        ", ".join([*(source.name for source in searched), self.chain_name]))
        return GoogleToken("", "nothing configured")

    def _default_token(self) -> GoogleToken | None:
        if self._default is None:
            try:
                self._default = self._run_in_thread(self._chain.default)
            except MissingExtraError:
                if self._environ.get("GOOGLE_APPLICATION_CREDENTIALS"):
                    raise
        if self._default is None:
            return None
        token: GoogleToken = self._run_in_thread(self._chain.token, self._default, self.chain_name)
        return token

    # ---- explaining

    def _explain_chain(self, reports: list[SourceReport]) -> list[SourceReport]:
        chain = super()._explain_chain(reports)
        if chain[0].found.startswith(("nothing", "not searched")) and all(report.found == "nothing"
                                                                          for report in reports):
            chain.append(SourceReport("without credentials",
                                      "requests are not signed: only public buckets can be accessed"))
        return chain

    def _describe_chain(self) -> str:
        if self._explicit_only:
            return "not searched, nor are secrets files: the endpoint is not Google's"
        try:
            found = self._run_in_thread(self._chain.default)
        except MissingExtraError as error:
            return f"nothing: {error}"
        if found is None:
            return "nothing"
        credentials, project = found
        email = getattr(credentials, "service_account_email", "")
        return (type(credentials).__module__.rpartition(".")[2].replace("_", " ")
                + (f" {email}" if email else "") + (f", project {project}" if project else ""))
