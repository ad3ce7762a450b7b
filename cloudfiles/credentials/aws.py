"""AWS credentials, from `secrets=`, secrets files, the environment or botocore's chain."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from cloudfiles.credentials import aws_chain
from cloudfiles.credentials.aws_sources import (
    AwsCredentials,
    AwsSource,
    aws_sources,
    credentials_of,
    from_environment,
    hint,
    settings,
)
from cloudfiles.credentials.provider import CredentialProvider
from cloudfiles.credentials.secrets_files import Secrets
from cloudfiles.exceptions import MissingCredentialsError, MissingExtraError

__all__ = ["AwsCredentials", "AwsProvider"]


class AwsProvider(CredentialProvider[AwsSource, "AwsCredentials | None"]):
    """The credentials of one bucket; None for anonymous access.

    Args:
        bucket: its own secrets file comes before the general one.
        service: 'aws', or the alias in the cloudpath.
        chain: botocore's chain.
        options: see CredentialProvider.
    """

    chain_name = "botocore's chain"

    def __init__(self, bucket: str = "", service: str = "aws", secrets: Secrets | None = None, *,
                 chain: Callable[[], AwsCredentials | None] = aws_chain.load, **options: Any) -> None:
        super().__init__(secrets, **options)
        self._bucket = bucket
        self._service = "aws" if service == "s3" else service
        self._chain = chain

    def location(self) -> tuple[str | None, str | None]:
        """Region and endpoint as configured, also for anonymous access. Sends no request and does not ask botocore."""
        current = self._renewal.current
        if current is not None and current.value is not None:
            return current.value.region, current.value.endpoint
        return self._settings(self._search()[0])

    def _settings(self, searched: list[AwsSource]) -> tuple[str | None, str | None]:
        """Region and endpoint: of the source that has the key, else of the others, else of the environment."""
        return settings([*reversed(searched), from_environment(self._environ)])

    def _label(self) -> str:
        return f"{self._service!r}, bucket={self._bucket!r}"

    def _sources(self) -> Iterator[AwsSource]:
        return aws_sources(self._secrets, self._bucket, self._service, self._environ)

    def _has_credentials(self, source: AwsSource) -> bool:
        return source.has_key

    def _describe(self, source: AwsSource) -> str:
        return source.describe()

    def _unsigned(self) -> None:
        return None

    def _read(self, source: AwsSource, searched: list[AwsSource]) -> AwsCredentials:
        return credentials_of(source, *self._settings(searched))

    def _ask_chain(self, searched: list[AwsSource]) -> AwsCredentials:
        region, endpoint = self._settings(searched)
        chain = "in botocore's chain (~/.aws, SSO, roles, web identity, process, container, instance metadata)"
        found: AwsCredentials | None = None
        try:
            found = self._run_in_thread(self._chain)
        except MissingExtraError as error:
            chain = f"but not {chain}, because {error}"
        if found is None:
            raise MissingCredentialsError(
                f"no AWS credentials found: searched {', '.join(source.name for source in searched)}, {chain}. For a "
                "public bucket, use no_sign_request=True")
        return found.replace(region=region or found.region, endpoint=endpoint or found.endpoint)

    def _describe_chain(self) -> str:
        found = self._run_in_thread(self._chain)
        return f"{hint(found.access_key)}, from {found.source}" if found else "nothing"
