"""Credentials for Data Lake Storage Gen1: a token, a service principal, or a user with a password.

Tokens are requested by azure-identity when they are needed, and renewed.

Source: "Service-to-service authentication with Data Lake Storage Gen1"; azure-datalake-store's `lib.auth`, for the
names of the fields.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from cloudfiles.credentials import azure_chain
from cloudfiles.credentials.azure_sources import AzureCredentials
from cloudfiles.credentials.credential_sources import CredentialSource, known_fields, secret_sources
from cloudfiles.credentials.provider import CredentialProvider
from cloudfiles.credentials.secrets_files import Secrets
from cloudfiles.exceptions import (
    AuthorizationError,
    ConfigurationError,
    MissingCredentialsError,
    MissingExtraError,
)
from cloudfiles.values import Value

RESOURCE = "https://datalake.azure.net/"

API_VERSION = "2018-09-01"

SECRETS_FILE = "adl-secret.json"

_FIELDS = {
    "token": ("token", "access_token"),
    "tenant": ("azure_tenant_id", "tenant_id", "tenant"),
    "username": ("azure_username", "username", "user"),
    "password": ("azure_password", "password"),
    "client": ("azure_client_id", "client_id"),
    "secret": ("azure_client_secret", "client_secret"),
    "authority": ("azure_authority_host", "authority"),
    "resource": ("resource",),
}

_AZURE_CLI = "04b07795-8ddb-461a-bbee-02f9e1bf7b46"
"""The public client id of Azure's command line, with which users sign in."""


class AdlCredentials(Value):
    """A bearer token.

    Attributes:
        authorization: the value of the Authorization header.
        expiry: seconds since the epoch, None if it is not known.
        source: where it was found.
    """

    _hidden = frozenset({"authorization"})

    authorization: str = ""
    expiry: float | None = None
    source: str = ""

    @property
    def query(self) -> str:
        """The parameters of every request."""
        return f"api-version={API_VERSION}"


def request_token(fields: Mapping[str, str]) -> tuple[str, float]:
    """A token of Microsoft Entra ID for a service principal or a user, and when it expires. Blocks.

    Raises MissingExtraError, AuthorizationError.
    """
    try:
        from azure.core.exceptions import AzureError
        from azure.identity import ClientSecretCredential, UsernamePasswordCredential
    except ImportError as error:
        raise MissingExtraError("azure-identity is not installed: pip install 'cloudfiles[azure]'") from error
    options: dict[str, Any] = {"authority": fields["authority"]} if "authority" in fields else {}
    try:
        if "secret" in fields:
            credential: Any = ClientSecretCredential(fields["tenant"], fields["client"], fields["secret"], **options)
        else:
            credential = UsernamePasswordCredential(fields.get("client", _AZURE_CLI), fields["username"],
                                                    fields["password"],
                                                    tenant_id=fields.get("tenant", "organizations"), **options)
        token = credential.get_token(_scope(fields))
    except (AzureError, ValueError) as error:
        raise AuthorizationError(f"Microsoft Entra ID returned no token: {error}") from error
    return token.token, float(token.expires_on)


def _scope(fields: Mapping[str, str]) -> str:
    return f"{fields.get('resource', RESOURCE).rstrip('/')}/.default"


class AdlProvider(CredentialProvider[CredentialSource, "AdlCredentials | None"]):
    """The credentials for one store; None for anonymous access.

    Sources, in order: `secrets=`, the file `adl-secret.json`, the environment variables azure_tenant_id,
    azure_username, azure_password, azure_client_id and azure_client_secret (in any case), azure-identity's chain.

    Args:
        request: requests a token for the fields of a source.
        chain: azure-identity's chain.
        options: see CredentialProvider.
    """

    chain_name = "azure-identity's default chain"

    def __init__(self, store: str, secrets: Secrets | None = None, *,
                 request: Callable[[Mapping[str, str]], tuple[str, float]] = request_token,
                 chain: Callable[[str], AzureCredentials] = azure_chain.load, **options: Any) -> None:
        super().__init__(secrets, **options)
        self._store = store
        self._request = request
        self._chain = chain

    @property
    def searched(self) -> str:
        """The sources that are searched, in words."""
        return f"secrets=, {SECRETS_FILE}, the environment (azure_tenant_id, ...), {self.chain_name}"

    def _label(self) -> str:
        return repr(self._store)

    def _sources(self) -> Iterator[CredentialSource]:
        yield from secret_sources(self._secrets, [SECRETS_FILE], self._environ)
        yield CredentialSource("environment", {name: value for name, value in self._environ.items()
                                               if name.lower().startswith("azure_")})

    def _fields_of(self, source: CredentialSource) -> dict[str, str]:
        return known_fields(source.name, source.values, _FIELDS)

    def _has_credentials(self, source: CredentialSource) -> bool:
        fields = self._fields_of(source)
        found = any(names <= fields.keys() for names in ({"token"}, {"username", "password"}, {"client", "secret"}))
        if source.is_explicit and not found:
            raise ConfigurationError(f"{source.name}: expected 'token', or 'tenant_id' with 'client_id' and "
                                     "'client_secret', or 'username' and 'password'")
        return found

    def _describe(self, source: CredentialSource) -> str:
        fields = self._fields_of(source)
        found = [f"{name} {fields[name]}" for name in ("tenant", "client", "username") if name in fields]
        found += [text for name, text in (("secret", "a client secret"), ("password", "a password"),
                                          ("token", "a token")) if name in fields]
        return ", ".join(found) or "nothing"

    def _read(self, source: CredentialSource, searched: list[CredentialSource]) -> AdlCredentials:
        fields = self._fields_of(source)
        if "token" in fields:
            return AdlCredentials(f"Bearer {fields['token']}", None, source.name)
        if {"client", "secret"} <= fields.keys():
            if "tenant" not in fields:
                raise ConfigurationError(f"{source.name} has a client secret, but no tenant_id")
        else:
            fields.pop("secret", None)
        token, expiry = self._run_in_thread(self._request, fields)
        return AdlCredentials(f"Bearer {token}", expiry, source.name)

    def _ask_chain(self, searched: list[CredentialSource]) -> AdlCredentials:
        try:
            found: AzureCredentials = self._run_in_thread(self._chain, _scope({}))
        except (AuthorizationError, ImportError) as error:
            names = ", ".join(source.name for source in searched)
            raise MissingCredentialsError(f"no credentials for Data Lake Storage Gen1 found: searched {names}, and "
                                          f"{self.chain_name} ({error})") from error
        return AdlCredentials(f"Bearer {found.token}", found.expiry, found.source)

    def _describe_chain(self) -> str:
        self._run_in_thread(self._chain, _scope({}))
        return "a token"

    def _unsigned(self) -> None:
        return None
