"""Credentials for WebHDFS: a user name, a delegation token, a bearer token, or user and password of a gateway.

Source: Hadoop documentation, "WebHDFS REST API" (Authentication, Proxy Users), "Hadoop in Secure Mode".
"""

from __future__ import annotations

import base64
import getpass
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote, unquote

from cloudfiles.credentials import secrets_files
from cloudfiles.credentials.credential_sources import CredentialSource, known_fields, secret_sources
from cloudfiles.credentials.provider import CredentialProvider
from cloudfiles.credentials.secrets_files import Secrets
from cloudfiles.exceptions import ConfigurationError
from cloudfiles.values import Value

__all__ = ["HadoopCredentials", "HadoopProvider"]

SECRETS_FILE = "webhdfs-secret.json"

_FIELDS = {
    "user": ("user", "user.name", "username", "hadoop_user_name"),
    "password": ("password",),
    "delegation": ("delegation", "delegation_token"),
    "token": ("token",),
    "doas": ("doas", "proxy_user", "hadoop_proxy_user"),
}
_SECRET_FIELDS = {"password": "a password", "delegation": "a delegation token", "token": "a bearer token"}


class HadoopCredentials(Value):
    """How requests to a NameNode or gateway are authenticated.

    Attributes:
        user: the user name (`user.name`), which a cluster without Kerberos believes.
        doas: the user on whose behalf `user` acts.
        delegation: a delegation token, which says who the user is.
        authorization: the value of an Authorization header.
        source: where they were found.
    """

    _hidden = frozenset({"delegation", "authorization"})

    user: str | None = None
    doas: str | None = None
    delegation: str | None = None
    authorization: str | None = None
    source: str = ""

    @property
    def query(self) -> str:
        """The parameters that identify the user. With a delegation token no others are allowed."""
        named = [("delegation", self.delegation)] if self.delegation else [
            ("user.name", self.user), ("doas", self.doas)]
        return "&".join([f"{name}={quote(value, safe='')}" for name, value in named if value])


class HadoopProvider(CredentialProvider[CredentialSource, "HadoopCredentials | None"]):
    """The credentials for one cluster; None for anonymous access.

    Sources, in order: user information in the cloudpath, `secrets=`, the file `webhdfs-secret.json`. If none of them
    has any: the environment variables HADOOP_USER_NAME and HADOOP_PROXY_USER, and the user of the operating system.

    Args:
        authorities: the servers (`host:port`), by which a secrets file may tell clusters apart.
        userinfo: the part of the cloudpath before the @, percent-encoded.
        os_user: returns the name of the user of the operating system.
        options: see CredentialProvider.
    """

    chain_name = "HADOOP_USER_NAME, HADOOP_PROXY_USER and the operating system"
    anonymous_report = "no user is sent"

    def __init__(self, authorities: Sequence[str] = (), secrets: Secrets | None = None, *, userinfo: str = "",
                 os_user: Callable[[], str] = getpass.getuser, **options: Any) -> None:
        super().__init__(secrets, **options)
        self._authorities = [authority.lower() for authority in authorities]
        self._userinfo = userinfo
        self._os_user = os_user

    @property
    def searched(self) -> str:
        """The sources that are searched, in words."""
        if self._anonymous:
            return "nowhere, because no_sign_request is set"
        files = f"{SECRETS_FILE} in {', '.join(secrets_files.directories(self._environ))}"
        return f"{'secrets=' if self._secrets is not None else files}, {self.chain_name}"

    def _label(self) -> str:
        return repr(", ".join(self._authorities))

    def _sources(self) -> Iterator[CredentialSource]:
        if self._userinfo:
            user, _, password = self._userinfo.partition(":")
            values = {"user": unquote(user), "password": unquote(password)}
            yield CredentialSource("the cloudpath", {name: value for name, value in values.items() if value})
        yield from secret_sources(self._secrets, [SECRETS_FILE], self._environ)

    def _fields_of(self, source: CredentialSource) -> dict[str, str]:
        """The fields for this cluster: those under its name, else those for all clusters."""
        by_host = {name.lower(): fields for name, fields in source.values.items() if isinstance(fields, Mapping)}
        for authority in self._authorities:
            for name in (authority, authority.rpartition(":")[0]):
                if name in by_host:
                    return known_fields(f"{source.name} ({name})", by_host[name], _FIELDS)
        flat = {name: value for name, value in source.values.items() if not isinstance(value, Mapping)}
        return known_fields(source.name, flat, _FIELDS)

    def _has_credentials(self, source: CredentialSource) -> bool:
        found = self._fields_of(source)
        if source.values and not found and not any(isinstance(value, Mapping) for value in source.values.values()):
            raise ConfigurationError(f"{source.name} does not contain credentials for WebHDFS: expected 'user', "
                                     "'delegation', 'token', or 'user' and 'password'")
        return bool(found)

    def _describe(self, source: CredentialSource) -> str:
        return _described(self._fields_of(source))

    def _read(self, source: CredentialSource, searched: list[CredentialSource]) -> HadoopCredentials:
        return _credentials(self._fields_of(source), source.name)

    def _ask_chain(self, searched: list[CredentialSource]) -> HadoopCredentials:
        fields, source = self._of_environment()
        return _credentials(fields, source)

    def _of_environment(self) -> tuple[dict[str, str], str]:
        found = known_fields("the environment", {name: self._environ.get(name, "") for name in (
            "HADOOP_USER_NAME", "HADOOP_PROXY_USER")}, _FIELDS)
        if "user" in found:
            return found, "HADOOP_USER_NAME"
        try:
            return {**found, "user": self._os_user()}, "the operating system"
        except (OSError, KeyError, ImportError):  # a container whose user has no name
            return found, "the operating system"

    def _describe_chain(self) -> str:
        fields, source = self._of_environment()
        return f"{_described(fields)}, from {source}"

    def _unsigned(self) -> None:
        return None


def _described(fields: Mapping[str, str]) -> str:
    found = [f"user {fields['user']!r}"] if "user" in fields else []
    found += [f"acting for {fields['doas']!r}"] if "doas" in fields else []
    return ", ".join([*found, *(text for name, text in _SECRET_FIELDS.items() if name in fields)]) or "nothing"


def _credentials(fields: Mapping[str, str], source: str) -> HadoopCredentials:
    """Raises ConfigurationError for a password without a user."""
    user, token = fields.get("user"), fields.get("token")
    authorization = None if token is None else f"Bearer {token}"
    if "password" in fields:
        if user is None or ":" in user:
            raise ConfigurationError(f"{source}: a password has to be accompanied by a user name without a colon")
        basic = base64.b64encode(f"{user}:{fields['password']}".encode()).decode("ascii")
        authorization = f"Basic {basic}"
        user = None
    return HadoopCredentials(user, fields.get("doas"), fields.get("delegation"), authorization, source)
