"""AWS credentials, and the sources that are read for them: `secrets=`, secrets files, the environment."""

from __future__ import annotations

import math
from collections import ChainMap
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timezone
from typing import Any, NoReturn

from cloudfiles.credentials.credential_sources import CredentialSource, known_fields, secret_sources
from cloudfiles.credentials.secrets_files import Secrets
from cloudfiles.exceptions import ConfigurationError
from cloudfiles.values import Value

# The accepted names of each field, in lower case: those of the environment (AWS_ACCESS_KEY_ID), of boto's keyword
# arguments (region_name), and of responses of STS, IMDS and credential_process (SecretAccessKey).
_SPELLINGS = {
    "access_key": ("aws_access_key_id", "accesskeyid", "access_key_id", "access_key"),
    "secret_key": ("aws_secret_access_key", "secretaccesskey", "secret_access_key", "secret_key"),
    "token": ("aws_session_token", "aws_security_token", "sessiontoken", "session_token", "token"),
    "region": ("aws_region", "aws_default_region", "region_name", "region"),
    "endpoint": ("aws_endpoint_url_s3", "aws_endpoint_url", "endpoint_url", "endpoint"),
    "expiry": ("aws_credential_expiration", "expiration"),
}


class AwsCredentials(Value):
    """An access key. It cannot be pickled, and its repr shows no secrets.

    Attributes:
        region, endpoint: as configured where the key was found, or in the environment; None where neither has them.
        expiry: seconds since the epoch, None for never.
        source: where it was found, in words.
    """

    access_key: str
    secret_key: str
    token: str | None = None
    region: str | None = None
    endpoint: str | None = None
    expiry: float | None = None
    source: str = ""

    def __repr__(self) -> str:
        return f"AwsCredentials({hint(self.access_key)}, from {self.source})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("AWS credentials cannot be pickled: each process looks them up itself")


def hint(access_key: str) -> str:
    """The part of an access key id that may be shown."""
    return f"access key ...{access_key[-4:] if len(access_key) >= 12 else ''}"


class AwsSource(CredentialSource):
    """A source that may hold a key, a region or an endpoint."""

    @property
    def has_key(self) -> bool:
        """Whether it holds a key. Raises ConfigurationError for one half of a key."""
        access, secret = "access_key" in self.values, "secret_key" in self.values
        if access != secret:
            missing = "AWS_SECRET_ACCESS_KEY" if access else "AWS_ACCESS_KEY_ID"
            raise ConfigurationError(f"AWS credentials in {self.name}: {missing} is missing")
        return access

    def describe(self) -> str:
        """What was found, without secrets."""
        found = [hint(self.values["access_key"])] if self.has_key else []
        found += ["session token"] if "token" in self.values else []
        found += [f"{name} {self.values[name]}" for name in ("region", "endpoint", "expiry") if name in self.values]
        return ", ".join(found) or "nothing"


def file_names(bucket: str, service: str) -> list[str]:
    """The secrets files of a bucket behind `service` ('aws' or an alias), the most specific first."""
    return [f"{bucket}-{service}-secret.json"] * bool(bucket) + [f"{service}-secret.json"]


def aws_sources(secrets: Secrets | None, bucket: str, service: str, environ: Mapping[str, str]) -> Iterator[AwsSource]:
    """All sources in order, each read on demand."""
    for source in secret_sources(secrets, file_names(bucket, service), environ):
        yield AwsSource(source.name, _fields(source.name, source.values, source.is_explicit), is_file=source.is_file)
    yield from_environment(environ)


def from_environment(environ: Mapping[str, str]) -> AwsSource:
    """The AWS_* variables, as botocore reads them, and AWS_REGION as the other SDKs do.

    AWS_IGNORE_CONFIGURED_ENDPOINT_URLS: https://docs.aws.amazon.com/sdkref/latest/guide/feature-ss-endpoints.html
    """
    ignore_endpoints = environ.get("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "").lower() == "true"
    values = {name: value for name, value in environ.items() if name.startswith("AWS_")
              and not (ignore_endpoints and name.startswith("AWS_ENDPOINT_URL"))}
    return AwsSource("environment", _fields("environment", values))


def settings(ordered: Iterable[AwsSource]) -> tuple[str | None, str | None]:
    """Region and endpoint, each from the first of `ordered` that names it."""
    everything = ChainMap(*(dict(source.values) for source in ordered))
    return everything.get("region"), everything.get("endpoint")


def _fields(source: str, values: Mapping[str, Any], strict: bool = False) -> dict[str, str]:
    """The known fields among `values`. strict: there must be one, unless `values` is empty."""
    found = known_fields(source, values, _SPELLINGS)
    if strict and values and not found:
        raise ConfigurationError(
            f"{source} has none of the fields of an AWS secret: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, "
            "AWS_SESSION_TOKEN, AWS_DEFAULT_REGION, AWS_ENDPOINT_URL")
    return found


def credentials_of(source: AwsSource, region: str | None, endpoint: str | None) -> AwsCredentials:
    """The key in `source`."""
    values = source.values
    return AwsCredentials(values["access_key"], values["secret_key"], values.get("token"), region, endpoint,
                          _seconds(source.name, values["expiry"]) if "expiry" in values else None, source.name)


def _seconds(source: str, expiry: str) -> float:
    """An ISO 8601 time as seconds since the epoch; without a time zone it is UTC."""
    try:
        parsed = datetime.fromisoformat(expiry.replace("Z", "+00:00"))
    except ValueError as error:
        raise ConfigurationError(f"{source}: expected an ISO 8601 time as expiration, got {expiry!r}") from error
    seconds = (parsed if parsed.tzinfo else parsed.replace(tzinfo=timezone.utc)).timestamp()
    return seconds if math.isfinite(seconds) else 0.0
