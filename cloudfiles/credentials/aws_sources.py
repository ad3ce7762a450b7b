"""AWS credentials as values, and the places that hold them ready: `secrets=`, secrets files, the environment."""

from __future__ import annotations

import math
from collections import ChainMap
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any, NoReturn

from cloudfiles.credentials import secrets_files
from cloudfiles.credentials.secrets_files import Secrets
from cloudfiles.credentials.sources import CredentialSource, known_fields
from cloudfiles.exceptions import ConfigurationError

# The spellings under which each field is accepted, all compared in lower case: the environment's
# (AWS_ACCESS_KEY_ID), boto's keyword arguments (region_name) and those of STS, IMDS and
# credential_process answers (SecretAccessKey).
_SPELLINGS = {
    "access_key": ("aws_access_key_id", "accesskeyid", "access_key_id", "access_key"),
    "secret_key": ("aws_secret_access_key", "secretaccesskey", "secret_access_key", "secret_key"),
    "token": ("aws_session_token", "aws_security_token", "sessiontoken", "session_token", "token"),
    "region": ("aws_region", "aws_default_region", "region_name", "region"),
    "endpoint": ("aws_endpoint_url_s3", "aws_endpoint_url", "endpoint_url", "endpoint"),
    "expiry": ("aws_credential_expiration", "expiration"),
}


@dataclass(frozen=True, repr=False)
class AwsCredentials:
    """A key to sign with. It is never pickled and its repr shows no secret.

    Attributes:
        region, endpoint: what the place that held the key says of them, or the environment; None where nothing does.
        expiry: seconds since the epoch, None for never.
        source: where it came from, in words.
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
    """As much of an access key id as may be shown."""
    return f"access key ...{access_key[-4:] if len(access_key) >= 12 else ''}"


class AwsSource(CredentialSource):
    """A place that may hold a key or settings."""

    @property
    def has_key(self) -> bool:
        """Whether it holds a key. Raises ConfigurationError where it holds one half of a key only."""
        access, secret = "access_key" in self.values, "secret_key" in self.values
        if access != secret:
            missing = "AWS_SECRET_ACCESS_KEY" if access else "AWS_ACCESS_KEY_ID"
            raise ConfigurationError(f"AWS credentials in {self.name}: {missing} is missing")
        return access

    def describe(self) -> str:
        """What was found, without a secret."""
        found = [hint(self.values["access_key"])] if self.has_key else []
        found += ["session token"] if "token" in self.values else []
        found += [f"{name} {self.values[name]}" for name in ("region", "endpoint", "expiry") if name in self.values]
        return ", ".join(found) or "nothing"


def file_names(bucket: str, service: str) -> list[str]:
    """The secrets files of a bucket behind `service` ('aws' or an alias), the most specific first."""
    return [f"{bucket}-{service}-secret.json"] * bool(bucket) + [f"{service}-secret.json"]


def sources(secrets: Secrets | None, bucket: str, service: str, environ: Mapping[str, str]) -> Iterator[AwsSource]:
    """Look into one place after the other, lazily, in the order in which they count."""
    if secrets is not None:
        name, values = secrets_files.load(secrets)
        yield AwsSource(name, _fields(name, values, strict=True), file=name != "secrets=")
    for path in secrets_files.candidates(file_names(bucket, service), environ):
        content = secrets_files.read(path)
        yield AwsSource(path, {} if content is None else _fields(path, content), file=content is not None)
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
    """The known fields among `values`; those that are empty or null count as not there."""
    found = known_fields(source, values, _SPELLINGS)
    if strict and values and not found:
        raise ConfigurationError(
            f"{source} has none of the fields of an AWS secret: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, "
            "AWS_SESSION_TOKEN, AWS_DEFAULT_REGION, AWS_ENDPOINT_URL")
    return found


def credentials(source: AwsSource, region: str | None, endpoint: str | None) -> AwsCredentials:
    """The key that `source` holds."""
    values = source.values
    return AwsCredentials(values["access_key"], values["secret_key"], values.get("token"), region, endpoint,
                          _seconds(source.name, values["expiry"]) if "expiry" in values else None, source.name)


def _seconds(source: str, expiry: str) -> float:
    """An ISO 8601 time as seconds since the epoch; UTC where it names no zone."""
    try:
        moment = datetime.fromisoformat(expiry.replace("Z", "+00:00"))
    except ValueError as error:
        raise ConfigurationError(f"{source}: expected an ISO 8601 time as expiration, got {expiry!r}") from error
    seconds = (moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)).timestamp()
    return seconds if math.isfinite(seconds) else 0.0
