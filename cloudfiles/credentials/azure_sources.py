"""Azure credentials, and the sources that are read for them: `secrets=`, secrets files, the environment."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator, Mapping
from typing import Any, NoReturn
from urllib.parse import parse_qs

from cloudfiles.credentials.credential_sources import CredentialSource, known_fields, secret_sources
from cloudfiles.credentials.secrets_files import Secrets
from cloudfiles.exceptions import ConfigurationError
from cloudfiles.values import Value

# The accepted names of each field, in lower case: those of the environment, of connection strings, and of the vendor's
# tools and libraries (adlfs, az).
_SPELLINGS = {
    "connection_string": ("azure_storage_connection_string", "connection_string", "connectionstring"),
    "account": ("azure_storage_account", "azure_storage_account_name", "account_name", "accountname",
                "storage_account", "account"),
    "key": ("azure_storage_key", "azure_storage_account_key", "azure_storage_access_key", "account_key",
            "accountkey", "access_key", "key"),
    "sas": ("azure_storage_sas_token", "sas_token", "sharedaccesssignature", "shared_access_signature", "sas"),
    "endpoint": ("azure_storage_endpoint", "azure_storage_blob_endpoint", "blob_endpoint", "blobendpoint", "endpoint"),
}
_TITLES = ("AZURE_STORAGE_ACCOUNT with AZURE_STORAGE_KEY or AZURE_STORAGE_SAS_TOKEN, "
           "or AZURE_STORAGE_CONNECTION_STRING")

# The emulator's account is the same everywhere and no secret ("Use Azurite emulator": well-known storage account).
EMULATOR_ACCOUNT = "devstoreaccount1"
EMULATOR_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
_EMULATOR_ENDPOINT = f"http://127.0.0.1:10000/{EMULATOR_ACCOUNT}"

_SAS = re.compile(r"[A-Za-z0-9_.~%&=+:/,\-]+").fullmatch


class AzureCredentials(Value):
    """One of `key`, `sas` and `token`. They cannot be pickled, and their repr shows no secrets.

    Attributes:
        account: the storage account; None if the source does not name it.
        key: the account's key, decoded.
        sas: a shared access signature: a query string without '?'.
        token: an OAuth bearer token.
        endpoint: of the Blob service, None for the public cloud's.
        expiry: seconds since the epoch, None for never.
        source: where they were found, in words.
    """

    account: str | None = None
    key: bytes | None = None
    sas: str | None = None
    token: str | None = None
    endpoint: str | None = None
    expiry: float | None = None
    source: str = ""

    def __repr__(self) -> str:
        kind = "key" if self.key else "SAS" if self.sas else "token" if self.token else "nothing"
        return f"AzureCredentials({kind} of account {self.account}, from {self.source})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("Azure credentials cannot be pickled: each process looks them up itself")


class AzureSource(CredentialSource):
    """A source that may hold a key, a SAS, an account or an endpoint."""

    def opens(self, account: str | None) -> bool:
        """Whether it holds a key or a SAS that is not for another account than this one."""
        if "key" not in self.values and "sas" not in self.values:
            return False
        return account is None or self.values.get("account", account) == account

    def describe(self, account: str | None = None) -> str:
        """What was found, without secrets."""
        found = [f"{name} {self.values[name]}" for name in ("account", "endpoint") if name in self.values]
        found += [title for name, title in (("key", "an account key"), ("sas", "a SAS")) if name in self.values]
        if found and self.values.get("account", account) != account and account is not None:
            found.append(f"not used: the account is {account}")
        return ", ".join(found) or "nothing"


def file_names(container: str, account: str | None) -> list[str]:
    """The secrets files of a container, the most specific first."""
    return [f"{name}-azure-secret.json" for name in (container, account) if name] + ["azure-secret.json"]


def azure_sources(secrets: Secrets | None, container: str, account: str | None,
                  environ: Mapping[str, str]) -> Iterator[AzureSource]:
    """All sources in order, each read on demand."""
    for source in secret_sources(secrets, file_names(container, account), environ):
        yield AzureSource(source.name, _fields(source.name, source.values, strict=True), is_file=source.is_file)
    values = {name: value for name, value in environ.items() if name.startswith("AZURE_STORAGE_")}
    yield AzureSource("environment", _fields("environment", values))


def credentials_of(source: AzureSource, account: str | None) -> AzureCredentials:
    """The key in `source`, which can do more than a SAS, else the SAS."""
    values = source.values
    key = _decoded(source.name, values["key"]) if "key" in values else None
    sas = None if key else values.get("sas")
    name = values.get("account", account)
    if key and name is None:
        raise ConfigurationError(f"{source.name} has a key but no account name: set AZURE_STORAGE_ACCOUNT or use a "
                                 "cloudpath abfss://CONTAINER@ACCOUNT.dfs.core.windows.net/")
    return AzureCredentials(name, key, sas, endpoint=values.get("endpoint"), source=source.name)


def _decoded(source: str, key: str) -> bytes:
    try:
        return base64.b64decode(key, validate=True)
    except (binascii.Error, ValueError):
        # Not chained: the message of the cause may show parts of the key.
        raise ConfigurationError(f"{source}: the account key is not base64") from None


def _fields(source: str, values: Mapping[str, Any], strict: bool = False) -> dict[str, str]:
    """The known fields among `values`, and those of a connection string. strict: there must be one."""
    found = known_fields(source, values, _SPELLINGS)
    if strict and values and not found:
        raise ConfigurationError(f"{source} has none of the fields of an Azure secret: {_TITLES}")
    if "connection_string" in found:
        found = {**found, **_connection(source, found.pop("connection_string"))}
    if "sas" in found:
        found["sas"] = _checked_sas(source, found["sas"])
    return found


def _connection(source: str, text: str) -> dict[str, str]:
    """The fields of a connection string ("Configure Azure Storage connection strings").

    Its fields belong together: a key or SAS beside it in the same source is not used.
    """
    pairs = [part.partition("=") for part in text.split(";") if part.strip()]
    if any(not separator for _, separator, _ in pairs):
        raise ConfigurationError(f"{source}: expected a connection string NAME=VALUE;NAME=VALUE...")
    fields = {name.strip().lower(): value.strip() for name, _, value in pairs}
    if fields.get("usedevelopmentstorage", "").lower() == "true":
        return {"account": EMULATOR_ACCOUNT, "key": EMULATOR_KEY, "endpoint": _EMULATOR_ENDPOINT}
    found = {name: fields[spelling] for name, spelling in (
        ("account", "accountname"), ("key", "accountkey"), ("sas", "sharedaccesssignature"),
        ("endpoint", "blobendpoint")) if fields.get(spelling)}
    if "endpoint" not in found and "account" in found and fields.get("endpointsuffix"):
        scheme = fields.get("defaultendpointsprotocol", "https")
        found["endpoint"] = f"{scheme}://{found['account']}.blob.{fields['endpointsuffix']}"
    if not found:
        raise ConfigurationError(f"{source}: the connection string has neither AccountName nor BlobEndpoint")
    return found


def _checked_sas(source: str, sas: str) -> str:
    """A SAS without its question mark, as it is appended to the target of every request."""
    sas = sas.removeprefix("?")
    if not _SAS(sas) or not {"sig", "sv"} <= set(parse_qs(sas)):
        raise ConfigurationError(f"{source}: expected a SAS as a query string with sv= and sig=")
    return sas
