"""What web servers are shown: Basic (RFC 7617) and Bearer (RFC 6750) credentials.

Plain web servers may do without; `middleauth+https://` and `ngauth+https://` may not.
A file's content is kept until a server refuses it: only then is it looked at again.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import unquote

from cloudfiles.credentials import secrets_files
from cloudfiles.credentials.secrets_files import Secrets
from cloudfiles.exceptions import ConfigurationError, MissingCredentialsError

__all__ = ["Authorization", "CaveCredentials", "HttpCredentials"]

_FORMS = "{'token': ...}, {'user': ..., 'password': ...} or {'HOST[:PORT]': {one of these}}"


class Authorization(NamedTuple):
    """The value of an Authorization header, and where it came from."""

    value: str
    source: str

    def __repr__(self) -> str:
        return f"Authorization({self.value.partition(' ')[0]}, from {self.source})"


class HttpCredentials:
    """The credentials for one web server; none at all is an answer too.

    Places, in order: user information in the cloudpath (`https://user:password@host/`), `secrets=`,
    `http-secret.json`. The last two hold a token, or a user and a password, for every server that is
    read, or for each server by its name: where there is more than one, the latter keeps the
    password of one from the others.

    Args:
        authority: host, or host:port where the port is not the scheme's own.
        secrets: a dict, JSON text or the path of a JSON file.
        userinfo: what stood before the @ of the cloudpath, still percent-encoded.
        anonymous: show nothing, look nowhere.
        environ: the environment, as `secrets_files` reads it.
    """

    FILES: Sequence[str] = ("http-secret.json",)

    def __init__(self, authority: str, secrets: Secrets | None = None, *, userinfo: str = "", anonymous: bool = False,
                 environ: Mapping[str, str] | None = None) -> None:
        self._authority = authority.lower()
        self._host = self._authority if self._authority.endswith("]") else self._authority.rpartition(":")[0]
        self._host = self._host or self._authority
        self._secrets = secrets
        self._userinfo = userinfo
        self._anonymous = anonymous
        self._environ = environ
        self._looked = False
        self._current: Authorization | None = None

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._authority!r}, {self._current if self._looked else 'not looked up'})"

    def get(self) -> Authorization | None:
        """What to show, None for nothing. Looks into the places at first use.

        Raises:
            ConfigurationError: a place holds something that cannot be used.
            MissingCredentialsError: there are none, and the protocol does not go without.
        """
        if not self._looked:
            self._current = None if self._anonymous else self._find()
            self._looked = True
        return self._current

    def renew(self, rejected: Authorization | None) -> Authorization | None:
        """Other credentials in place of the `rejected` ones, None where there are no others. Errors as `get`."""
        if self._current == rejected:
            self._looked = False
        fresh = self.get()
        return None if fresh == rejected else fresh

    @property
    def places(self) -> str:
        """Where they are looked for, in words."""
        if self._anonymous:
            return "nowhere, because no_sign_request is set"
        if self._secrets is not None:
            return "secrets="
        return f"{', '.join(self._names())} in {', '.join(secrets_files.directories(self._environ))}"

    def explain(self) -> list[tuple[str, str]]:
        """Every place in order and what is there, without a secret. Ends at a place that `get` would stumble over."""
        if self._anonymous:
            return [("no_sign_request", "no credentials are sent")]
        findings: list[tuple[str, str]] = []
        try:
            if self._userinfo:
                findings.append(("the cloudpath", "user and password"))
            if self._secrets is not None:
                source, content = secrets_files.load(self._secrets)
                findings.append((source, self._describe(content, source)))
            for path in secrets_files.candidates(self._names(), self._environ):
                findings.append((path, self._describe(secrets_files.read(path), path)))
        except ConfigurationError as error:
            return [*findings, ("error", str(error))]
        return findings

    def _describe(self, content: Mapping[str, Any] | None, source: str) -> str:
        found = self._choose(content, source) if content else None
        if found is None:
            return "nothing" if content is None else f"nothing for {self._authority}"
        return f"{found.value.partition(' ')[0]}, from {found.source}"

    # ---- looking

    def _names(self) -> list[str]:
        return list(self.FILES)

    def _find(self) -> Authorization | None:
        if self._userinfo:
            user, _, password = self._userinfo.partition(":")
            return Authorization(_basic(unquote(user), unquote(password), "the cloudpath"), "the cloudpath")
        if self._secrets is not None:
            source, content = secrets_files.load(self._secrets)
            return self._choose(content, source)
        found = secrets_files.find(self._names(), self._environ)
        return self._choose(found[1], found[0]) if found else None

    def _choose(self, content: Mapping[str, Any], source: str) -> Authorization | None:
        """The entry for this server, else the one for every server."""
        by_host = {name.lower(): fields for name, fields in content.items() if isinstance(fields, Mapping)}
        for name in (self._authority, self._host):
            if name in by_host:
                return _authorization(by_host[name], f"{source} ({name})")
        flat = {name: value for name, value in content.items() if not isinstance(value, Mapping)}
        return _authorization(flat, source) if flat else None


class CaveCredentials(HttpCredentials):
    """The bearer token for a CAVE or ngauth server, without which nothing is sent.

    Places, in order: `secrets=`, `HOST-cave-secret.json`, `cave-secret.json`, `chunkedgraph-secret.json`.
    """

    FILES = ("cave-secret.json", "chunkedgraph-secret.json")

    def _names(self) -> list[str]:
        own = dict.fromkeys((self._authority, self._host))
        return [*(f"{name}-cave-secret.json" for name in own), *self.FILES]

    def _find(self) -> Authorization | None:
        found = super()._find()
        if found is None:
            raise MissingCredentialsError(
                f"no token found for {self._authority}: searched {self.places}. A secrets file, or secrets=, contains "
                f"{{\"token\": \"...\"}}")
        return found


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
