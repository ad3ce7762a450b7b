"""The credentials of one store: found once for all workers, renewed early by one worker for all of them."""

from __future__ import annotations

import math
import os
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from typing import Any, ClassVar, Generic, TypeVar

from cloudfiles.credentials.credential_sources import CredentialSource, SourceReport
from cloudfiles.credentials.renewal import Fetched, Renewal, renewal_time
from cloudfiles.credentials.secrets_files import Secrets
from cloudfiles.exceptions import CloudFilesError, ConfigurationError

REFRESH_EARLY = 300.0
"""Seconds before the expiry at which new credentials are fetched."""

RECHECK_FILES = 60.0
"""Seconds after which a secrets file is read again: it may have been rotated."""

Source = TypeVar("Source", bound=CredentialSource)
Credentials = TypeVar("Credentials")


def _call(function: Callable[..., Any], *args: Any) -> Any:
    return function(*args)


class CredentialProvider(ABC, Generic[Source, Credentials]):
    """Searches sources in order (`secrets=`, secrets files, the environment), then the provider's own chain.

    Can be shared by threads and greenlets, and across a fork.

    Args:
        secrets: a dict, JSON text or the path of a JSON file; comes before all other sources.
        anonymous: requests are not signed.
        clock: seconds since the epoch.
        environ: the environment. The providers' own libraries read that of the process.
        sleep: how a worker waits while another one fetches credentials.
        run_in_thread: calls a blocking function while other workers continue.

    Attributes:
        get: returns credentials that are valid now, by one comparison while they are fresh. Raises
            MissingCredentialsError, naming the sources that were searched; ConfigurationError for a source with
            content that cannot be used; AuthorizationError if a source of the chain failed.
    """

    chain_name: ClassVar[str] = ""
    refresh_early: ClassVar[float] = REFRESH_EARLY
    recheck_files: ClassVar[float] = RECHECK_FILES
    anonymous_report: ClassVar[str] = "requests are not signed"

    def __init__(self, secrets: Secrets | None = None, *, anonymous: bool = False,
                 clock: Callable[[], float] = time.time, environ: Mapping[str, str] | None = None,
                 sleep: Callable[[float], None] = time.sleep, run_in_thread: Callable[..., Any] = _call) -> None:
        self._secrets = secrets
        self._anonymous = anonymous
        self._clock = clock
        self._environ = os.environ if environ is None else environ
        self._run_in_thread = run_in_thread
        self._renewal: Renewal[Credentials] = Renewal(self._fetch, clock, sleep)
        self.get = self._renewal.get

    def __repr__(self) -> str:
        current = self._renewal.current
        return f"{type(self).__name__}({self._label()}, {'nothing fetched' if current is None else current.value})"

    def refresh(self, rejected: Credentials) -> Credentials:
        """Credentials in place of `rejected`, which the server refused; the same ones if there are no others.

        Searches all sources again, once for all workers whose credentials were refused.
        """
        return rejected if self._anonymous else self._renewal.refresh(rejected)

    def explain(self) -> list[SourceReport]:
        """Every source in order, and what was found there. Shows no secret. Queries the provider's chain as well.

        Ends at the first source that would make `get` raise an error.
        """
        if self._anonymous:
            return [SourceReport("no_sign_request", self.anonymous_report)]
        reports = []
        try:
            for source in self._sources():
                reports.append(SourceReport(source.name, self._describe(source)))
        except ConfigurationError as error:
            return [*reports, SourceReport("error", str(error))]
        return [*reports, *self._explain_chain(reports)]

    # ---- the search

    def _fetch(self) -> Fetched[Credentials]:
        if self._anonymous:
            return Fetched(self._unsigned())
        searched, source = self._search()
        found = self._ask_chain(searched) if source is None else self._read(source, searched)
        now = self._clock()
        expiry = getattr(found, "expiry", None)
        recheck = now + self.recheck_files if source is not None and source.is_file else math.inf
        return Fetched(found, min(recheck, renewal_time(expiry, self.refresh_early, now)), expiry)

    def _search(self) -> tuple[list[Source], Source | None]:
        """The sources up to the first one that has credentials, and that one."""
        searched = []
        for source in self._sources():
            searched.append(source)
            if self._has_credentials(source):
                return searched, source
        return searched, None

    # ---- for subclasses

    @abstractmethod
    def _label(self) -> str:
        """What the provider is for, in its repr."""

    @abstractmethod
    def _sources(self) -> Iterator[Source]:
        """All sources before the chain, in order, each read on demand."""

    @abstractmethod
    def _has_credentials(self, source: Source) -> bool:
        """Whether the search ends here. Raises ConfigurationError."""

    @abstractmethod
    def _describe(self, source: Source) -> str:
        """What was found in a source, without secrets."""

    @abstractmethod
    def _read(self, source: Source, searched: list[Source]) -> Credentials:
        """The credentials in `source`. searched: all sources up to this one, which may hold settings."""

    @abstractmethod
    def _ask_chain(self, searched: list[Source]) -> Credentials:
        """The credentials of the provider's own chain. searched: the sources that hold none."""

    @abstractmethod
    def _unsigned(self) -> Credentials:
        """The value for no credentials."""

    def _explain_chain(self, reports: list[SourceReport]) -> list[SourceReport]:
        """What the chain finds. reports: what was found in the sources before it."""
        try:
            return [SourceReport(self.chain_name, self._describe_chain())]
        except CloudFilesError as error:
            return [SourceReport(self.chain_name, str(error))]

    def _describe_chain(self) -> str:
        """What the chain finds, without secrets. Its CloudFilesErrors are reported as they are."""
        return "nothing"
