"""AWS credentials for many workers: found once, refreshed early, by one worker for all.

Places in order: `secrets=`, secrets files, the environment, botocore's chain.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import NamedTuple

from cloudfiles.credentials import aws_chain
from cloudfiles.credentials.aws_sources import (
    AwsCredentials,
    AwsSource,
    credentials,
    from_environment,
    hint,
    settings,
    sources,
)
from cloudfiles.credentials.renewal import Fetched, Renewal, renewal_time
from cloudfiles.credentials.secrets_files import Secrets
from cloudfiles.exceptions import CloudFilesError, ConfigurationError, MissingCredentialsError, MissingExtraError

__all__ = ["AwsCredentials", "AwsProvider", "SourceReport"]

REFRESH_EARLY = 300.0
"""Seconds before the expiry at which new credentials are fetched. IMDS offers new ones at least five minutes early."""

LOOK_AGAIN = 60.0
"""Seconds after which a secrets file is looked at again: it may have been rotated."""

Chain = Callable[[], AwsCredentials | None]


class SourceReport(NamedTuple):
    """A place and what was found there, without a secret."""

    source: str
    found: str


def _call(function: Chain) -> AwsCredentials | None:
    return function()


class AwsProvider:
    """The credentials of one store. Safe to share between threads and greenlets, and across a fork.

    Args:
        bucket: its own secrets file comes before the general one.
        service: 'aws', or the alias in the cloudpath.
        secrets: a dict, JSON text or the path of a JSON file, which come before everything else.
        anonymous: requests are not signed; `get` answers None.
        clock: seconds since the epoch.
        environ: the environment; botocore reads the process's own.
        sleep: how a worker waits for another one's refresh.
        run_in_thread: calls a blocking function so that other workers go on.
        chain: botocore's chain.
    """

    def __init__(self, bucket: str = "", service: str = "aws", secrets: Secrets | None = None, *,
                 anonymous: bool = False, clock: Callable[[], float] = time.time,
                 environ: Mapping[str, str] | None = None, sleep: Callable[[float], None] = time.sleep,
                 run_in_thread: Callable[[Chain], AwsCredentials | None] = _call,
                 chain: Chain = aws_chain.load) -> None:
        self._bucket = bucket
        self._service = "aws" if service == "s3" else service
        self._secrets = secrets
        self._anonymous = anonymous
        self._clock = clock
        self._environ = os.environ if environ is None else environ
        self._offload = run_in_thread
        self._chain = chain
        self._renewal: Renewal[AwsCredentials | None] = Renewal(self._fetch, clock, sleep)
        self.get = self._renewal.get
        """Credentials that are valid now; None for anonymous. One comparison where they are fresh.

        Raises:
            MissingCredentialsError: there are none; says where they were looked for.
            ConfigurationError: a place holds something that cannot be used.
            AuthorizationError: botocore found a source, and it failed.
        """

    def __repr__(self) -> str:
        return f"AwsProvider({self._service!r}, bucket={self._bucket!r}, {self._current or 'nothing fetched'})"

    @property
    def _current(self) -> AwsCredentials | None:
        current = self._renewal.current
        return None if current is None else current.value

    def refresh(self, rejected: AwsCredentials | None) -> AwsCredentials | None:
        """Credentials in place of `rejected`, which the server called expired or invalid.

        Looks into all places anew, once for all workers that were rejected. Where that brings the same
        credentials, they are returned: the caller compares, and gives up.
        """
        return None if self._anonymous else self._renewal.refresh(rejected)

    def location(self) -> tuple[str | None, str | None]:
        """Region and endpoint as configured, also for anonymous access. Asks no server and not botocore."""
        current = self._current
        if current is not None:
            return current.region, current.endpoint
        return self._settings(self._look()[0])

    def explain(self) -> list[SourceReport]:
        """Every place in order and what is there, without a secret. Looks into all, botocore's chain included.

        Ends at a place that `get` would stumble over.
        """
        if self._anonymous:
            return [SourceReport("no_sign_request", "requests are not signed")]
        findings = []
        try:
            for source in sources(self._secrets, self._bucket, self._service, self._environ):
                findings.append(SourceReport(source.name, source.describe()))
        except ConfigurationError as error:
            return [*findings, SourceReport("error", str(error))]
        return [*findings, SourceReport("botocore's chain", self._explain_chain())]

    def _explain_chain(self) -> str:
        try:
            found = self._offload(self._chain)
        except CloudFilesError as error:
            return str(error)
        return f"{hint(found.access_key)}, from {found.source}" if found else "nothing"

    # ---- looking

    def _look(self) -> tuple[list[AwsSource], AwsSource | None]:
        """The places up to the first that holds a key, and that one."""
        looked = []
        for source in sources(self._secrets, self._bucket, self._service, self._environ):
            looked.append(source)
            if source.has_key:
                return looked, source
        return looked, None

    def _settings(self, looked: list[AwsSource]) -> tuple[str | None, str | None]:
        """Region and endpoint: as the place with the key says, else the others, else the environment."""
        return settings([*reversed(looked), from_environment(self._environ)])

    def _fetch(self) -> Fetched[AwsCredentials | None]:
        if self._anonymous:
            return Fetched(None)
        now = self._clock()
        found, is_file = self._find()
        look_again = now + LOOK_AGAIN if is_file else math.inf
        return Fetched(found, min(look_again, renewal_time(found.expiry, REFRESH_EARLY, now)), found.expiry)

    def _find(self) -> tuple[AwsCredentials, bool]:
        """Credentials, and whether they come from a file, which may be rotated."""
        looked, holder = self._look()
        region, endpoint = self._settings(looked)
        if holder is not None:
            return credentials(holder, region, endpoint), holder.file
        found = self._ask_chain(looked)
        return replace(found, region=region or found.region, endpoint=endpoint or found.endpoint), False

    def _ask_chain(self, looked: list[AwsSource]) -> AwsCredentials:
        beyond = "in botocore's chain (~/.aws, SSO, roles, web identity, process, container, instance metadata)"
        try:
            found = self._offload(self._chain)
        except MissingExtraError as error:
            found, beyond = None, f"but not {beyond}, because {error}"
        if found is None:
            raise MissingCredentialsError(
                f"no AWS credentials found: searched {', '.join(source.name for source in looked)}, {beyond}. For a "
                "public bucket, use no_sign_request=True")
        return found
