"""Google credentials, and the sources that are read for them: `secrets=` and secrets files."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple, NoReturn

from cloudfiles.credentials.credential_sources import CredentialSource, secret_sources
from cloudfiles.credentials.secrets_files import Secrets
from cloudfiles.exceptions import ConfigurationError
from cloudfiles.values import Value

TYPES = ("service_account", "authorized_user", "external_account", "external_account_authorized_user",
         "impersonated_service_account", "gdch_service_account")
"""The values of the field `type` in Google's credentials files. A file with a `token` needs no type."""


class GoogleSigner(NamedTuple):
    """Signs for a service account.

    Attributes:
        email: the account's.
        sign: the RSA signature (PKCS #1 v1.5 over SHA-256) of some bytes.
        is_remote: a server signs: `sign` blocks, and may fail.
    """

    email: str
    sign: Callable[[bytes], bytes]
    is_remote: bool = False


class GoogleToken(Value):
    """An access token. It cannot be pickled, and its repr shows no secrets.

    Attributes:
        authorization: the value of the Authorization header; '' for requests without one.
        source: where it was found, in words.
        project: the project that the credentials belong to; None where they do not name it.
        signer: None if nothing can sign for the credentials.
        expiry: seconds since the epoch, None for never.
    """

    authorization: str
    source: str
    project: str | None = None
    signer: GoogleSigner | None = None
    expiry: float | None = None

    def __eq__(self, other: object) -> bool:
        """Without the signer, which each lookup creates anew."""
        return isinstance(other, GoogleToken) and self._compared() == other._compared()

    def __hash__(self) -> int:
        return hash(self._compared())

    def _compared(self) -> tuple[Any, ...]:
        return self.authorization, self.source, self.project, self.expiry

    def __repr__(self) -> str:
        return f"GoogleToken(from {self.source})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("Google credentials cannot be pickled: each process looks them up itself")


def file_names(bucket: str) -> list[str]:
    """The secrets files of a bucket, the most specific first."""
    return [f"{bucket}-google-secret.json"] * bool(bucket) + ["google-secret.json"]


def google_sources(secrets: Secrets | None, bucket: str, environ: Mapping[str, str]) -> Iterator[CredentialSource]:
    """All sources in order, each read on demand."""
    return secret_sources(secrets, file_names(bucket), environ)


def describe(source: CredentialSource) -> str:
    """Whose credentials a source holds. Raises ConfigurationError if they are not Google's."""
    if not source.exists:
        return "nothing"
    values = source.values
    kind = kind_of(source.name, values)
    if kind == "token":
        return "an access token"
    whose = values.get("client_email") or values.get("service_account_impersonation_url") or values.get("audience")
    project = values.get("project_id") or values.get("quota_project_id")
    return (kind.replace("_", " ") + (f" {str(whose).rpartition('/')[2]}" if whose else "")
            + (f", project {project}" if project else ""))


def kind_of(name: str, values: Mapping[str, Any]) -> str:
    """The type of the credentials in `values`; 'token' for an access token. Raises ConfigurationError."""
    kind = values.get("type")
    if kind is None and isinstance(values.get("token"), str) and values["token"].strip():
        return "token"
    if kind not in TYPES:
        raise ConfigurationError(f"{name} does not contain Google credentials: expected a 'token' or a type of "
                                 f"{', '.join(TYPES)}, got type {kind!r}")
    return str(kind)
