"""Google credentials as values, and the places that hold them ready: `secrets=` and secrets files."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, NoReturn

from cloudfiles.credentials import secrets_files
from cloudfiles.credentials.secrets_files import Secrets
from cloudfiles.exceptions import ConfigurationError

TYPES = ("service_account", "authorized_user", "external_account", "external_account_authorized_user",
         "impersonated_service_account", "gdch_service_account")
"""What the field `type` of a credentials file of Google may say; a file with a `token` needs none."""


class GoogleSigner(NamedTuple):
    """Signs for a service account.

    Attributes:
        email: the account's.
        sign: the RSA signature (PKCS #1 v1.5 over SHA-256) of some bytes.
        is_remote: a server is asked for it: `sign` blocks, and may fail.
    """

    email: str
    sign: Callable[[bytes], bytes]
    is_remote: bool = False


@dataclass(frozen=True, repr=False)
class GoogleToken:
    """Who asks. It is never pickled and its repr shows no secret.

    Attributes:
        authorization: the value of the Authorization header, '' where requests go without.
        source: where it came from, in words.
        project: the project that the credentials belong to, where they say it.
        signer: None where nothing can sign for the credentials.
        expiry: seconds since the epoch, None for never.
    """

    authorization: str
    source: str
    project: str | None = None
    signer: GoogleSigner | None = field(default=None, compare=False)
    expiry: float | None = None

    def __repr__(self) -> str:
        return f"GoogleToken(from {self.source})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("Google credentials cannot be pickled: each process looks them up itself")


@dataclass(frozen=True)
class Source:
    """A place that was looked into; `values` is None where there is nothing."""

    name: str
    values: Mapping[str, Any] | None = field(default=None, repr=False)

    def describe(self) -> str:
        """What was found, without a secret. Raises ConfigurationError where it cannot be used."""
        return "nothing" if self.values is None else describe(self.name, self.values)


def file_names(bucket: str) -> list[str]:
    """The secrets files of a bucket, the most specific first."""
    return [f"{bucket}-google-secret.json"] * bool(bucket) + ["google-secret.json"]


def sources(secrets: Secrets | None, bucket: str, environ: Mapping[str, str]) -> Iterator[Source]:
    """Look into one place after the other, lazily, in the order in which they count."""
    if secrets is not None:
        yield Source(*secrets_files.load(secrets))
    for path in secrets_files.candidates(file_names(bucket), environ):
        yield Source(path, secrets_files.read(path))


def describe(name: str, values: Mapping[str, Any]) -> str:
    """Whose credentials `values` are. Raises ConfigurationError where they are none of Google's."""
    kind = kind_of(name, values)
    if kind == "token":
        return "an access token"
    whose = values.get("client_email") or values.get("service_account_impersonation_url") or values.get("audience")
    project = values.get("project_id") or values.get("quota_project_id")
    return (kind.replace("_", " ") + (f" {str(whose).rpartition('/')[2]}" if whose else "")
            + (f", project {project}" if project else ""))


def kind_of(name: str, values: Mapping[str, Any]) -> str:
    """The type of credentials that `values` are, 'token' for an access token. Raises ConfigurationError."""
    kind = values.get("type")
    if kind is None and isinstance(values.get("token"), str) and values["token"].strip():
        return "token"
    if kind not in TYPES:
        raise ConfigurationError(f"{name} does not contain Google credentials: expected a 'token' or a type of "
                                 f"{', '.join(TYPES)}, got type {kind!r}")
    return str(kind)
