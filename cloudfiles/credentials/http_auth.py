"""Credentials for web servers: Basic (RFC 7617) and Bearer (RFC 6750) authorization.

They are optional for `http://` and `https://`, and required for `middleauth+https://` and `ngauth+https://`. A file
is read again only when a server has refused its content.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import unquote

from cloudfiles.credentials import secrets_files
from cloudfiles.credentials.credential_sources import CredentialSource, SourceReport, secret_sources
from cloudfiles.credentials.provider import CredentialProvider
from cloudfiles.credentials.renewal import Fetched
from cloudfiles.credentials.secrets_files import Secrets
from cloudfiles.exceptions import ConfigurationError, MissingCredentialsError

__all__ = ["Authorization", "CaveCredentials", "HttpCredentials"]

_CLOUDPATH = "the cloudpath"
_FORMS = "{'token': ...}, {'user': ..., 'password': ...} or {'HOST[:PORT]': {one of these}}"


class Authorization(NamedTuple):
    """The value of an Authorization header, and where it was found."""

    value: str
    source: str

    def __repr__(self) -> str:
        return f"Authorization({self.value.partition(' ')[0]}, from {self.source})"


class HttpCredentials(CredentialProvider[CredentialSource, "Authorization | None"]):
    """The credentials for one web server; None if there are none.

    Sources, in order: user information in the cloudpath (`https://user:password@host/`), `secrets=`, the file
    `http-secret.json`. The latter two hold a token, or a user and a password: for all servers, or for each server
    under its name, so that a server never receives the password of another one.

    Args:
        authority: host, or host:port if the port is not the default of the scheme.
        userinfo: the part of the cloudpath before the @, percent-encoded.
        options: see CredentialProvider.
    """

    recheck_files = math.inf
    anonymous_report = "no credentials are sent"

    FILES: Sequence[str] = ("http-secret.json",)

    def __init__(self, authority: str, secrets: Secrets | None = None, *, userinfo: str = "", **options: Any) -> None:
        super().__init__(secrets, **options)
        self._authority = authority.lower()
        self._host = self._authority if self._authority.endswith("]") else self._authority.rpartition(":")[0]
        self._host = self._host or self._authority
        self._userinfo = userinfo

    def renew(self, rejected: Authorization | None) -> Authorization | None:
        """Other credentials in place of the `rejected` ones, None if there are no others. Errors as `get`."""
        fresh = self.refresh(rejected)
        return None if fresh == rejected else fresh

    @property
    def searched(self) -> str:
        """The sources that are searched, in words."""
        if self._anonymous:
            return "nowhere, because no_sign_request is set"
        if self._secrets is not None:
            return "secrets="
        return f"{', '.join(self._file_names())} in {', '.join(secrets_files.directories(self._environ))}"

    def _label(self) -> str:
        return repr(self._authority)

    def _file_names(self) -> list[str]:
        return list(self.FILES)

    def _sources(self) -> Iterator[CredentialSource]:
        if self._userinfo:
            user, _, password = self._userinfo.partition(":")
            yield CredentialSource(_CLOUDPATH, {"user": unquote(user), "password": unquote(password)})
        yield from secret_sources(self._secrets, self._file_names(), self._environ)

    def _has_credentials(self, source: CredentialSource) -> bool:
        return source.exists

    def _describe(self, source: CredentialSource) -> str:
        if source.name == _CLOUDPATH:
            return "user and password"
        found = self._choose(source.values, source.name)
        if found is None:
            return f"nothing for {self._authority}" if source.exists else "nothing"
        return f"{found.value.partition(' ')[0]}, from {found.source}"

    def _read(self, source: CredentialSource, searched: list[CredentialSource]) -> Authorization | None:
        return self._choose(source.values, source.name)

    def _ask_chain(self, searched: list[CredentialSource]) -> None:
        return None

    def _unsigned(self) -> None:
        return None

    def _explain_chain(self, reports: list[SourceReport]) -> list[SourceReport]:
        return []

    def _choose(self, content: Mapping[str, Any], source: str) -> Authorization | None:
        """The entry for this server, else the one for all servers."""
        by_host = {name.lower(): fields for name, fields in content.items() if isinstance(fields, Mapping)}
        for name in (self._authority, self._host):
            if name in by_host:
                return _authorization(by_host[name], f"{source} ({name})")
        flat = {name: value for name, value in content.items() if not isinstance(value, Mapping)}
        return _authorization(flat, source) if flat else None


class CaveCredentials(HttpCredentials):
    """The bearer token for a CAVE or ngauth server, which accepts no requests without one.

    Sources, in order: `secrets=`, `HOST-cave-secret.json`, `cave-secret.json`, `chunkedgraph-secret.json`.
    """

    FILES = ("cave-secret.json", "chunkedgraph-secret.json")

    def _file_names(self) -> list[str]:
        own = dict.fromkeys((self._authority, self._host))
        return [*(f"{name}-cave-secret.json" for name in own), *self.FILES]

    def _fetch(self) -> Fetched[Authorization | None]:
        fetched = super()._fetch()
        if fetched.value is None and not self._anonymous:
            raise MissingCredentialsError(
                f"no token found for {self._authority}: searched {self.searched}. A secrets file, or secrets=, "
                f"contains {{\"token\": \"...\"}}")
        return fetched


def _authorization(fields: Mapping[str, Any], source: str) -> Authorization:
    token = fields.get("token")
    if token is not None:
        return Authorization(f"Bearer {_header_safe(token, source)}", source)
    user, password = fields.get("user", fields.get("username")), fields.get("password")
    if isinstance(user, str) and isinstance(password, str):
        return Authorization(_basic(user, password, source), source)
    raise ConfigurationError(f"{source} does not contain credentials for a web server: expected {_FORMS}")


def _header_safe(token: Any, source: str) -> str:
    text = token.strip() if isinstance(token, str) else ""
    if not text or not text.isascii() or not text.isprintable() or " " in text:
        raise ConfigurationError(f"the token in {source} must be one line of ASCII text without spaces")
    return text


def _basic(user: str, password: str, source: str) -> str:
    if ":" in user:
        raise ConfigurationError(f"the user name in {source} contains a colon, which Basic authentication does not "
                                 "allow")
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode("ascii")
