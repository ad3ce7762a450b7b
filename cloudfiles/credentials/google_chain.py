"""google-auth, imported on first use: credentials of every type, and the application default credentials.

Its requests are sent by a client of this package, so that proxies, private authorities and retries work as everywhere
else. All functions block: they are to be called in a thread of their own.

Source: google-auth's user guide; AIP-4110, "Application Default Credentials".
"""

from __future__ import annotations

import os
import urllib.parse
import warnings
from collections.abc import Mapping
from datetime import timezone
from typing import Any

from cloudfiles.credentials.google_iam import remote_signer
from cloudfiles.credentials.google_sources import GoogleSigner, GoogleToken, kind_of
from cloudfiles.exceptions import AuthorizationError, CloudFilesError, ConfigurationError, MissingExtraError
from cloudfiles.retry import RETRYABLE_STATUS, RetryPolicy
from cloudfiles.runtime.threads import ThreadRuntime
from cloudfiles.transport.client import Client
from cloudfiles.transport.request import Origin, Request, Response, status_error
from cloudfiles.types import Clock, Tls

SCOPES = ("https://www.googleapis.com/auth/devstorage.read_write",)

PATIENT = RetryPolicy(attempts=6, window=0.5, budget=60.0)
"""For tokens: a metadata server that starts together with its node or pod responds after some seconds."""

_ONCE = RetryPolicy(attempts=1)
_PROBE_TIMEOUT = 1.0
"""Seconds for checking whether there is a metadata server, whose link-local address may not be routed."""

_PROJECTS = "https://cloudresourcemanager."
"""Where google-auth looks up the project of federated credentials. It is optional, and networks that allow only access
to storage may block it."""

_NOT_FOUND = "default credentials were not found"


class GoogleChain:
    """google-auth's credentials as tokens.

    Args:
        tls: for the token servers.
        policy: for requests of tokens.
    """

    def __init__(self, tls: Tls | None = None, policy: RetryPolicy = PATIENT, clock: Clock | None = None) -> None:
        self._tls = tls or Tls()
        self._policy = policy
        self._clock = clock or Clock()

    def from_values(self, name: str, values: Mapping[str, Any]) -> Any:
        """The google-auth credentials and their project for the content of the file or dict `name`.

        Raises:
            MissingExtraError: google-auth is not installed.
            ConfigurationError: they are not valid credentials of their type. The message does not contain them.
            AuthorizationError: a source that they name has failed.
        """
        kind_of(name, values)
        google = _google_auth()
        try:
            with warnings.catch_warnings():
                # It warns about credentials from others, but these are the user's own files.
                warnings.simplefilter("ignore", DeprecationWarning)
                return google.load_credentials_from_dict(dict(values), scopes=SCOPES, request=self._transport())
        except (google.exceptions.RefreshError, google.exceptions.TransportError) as error:
            raise AuthorizationError(f"the Google credentials from {name} could not be loaded: {error}") from error
        except (google.exceptions.GoogleAuthError, ValueError, KeyError, TypeError):
            # Not chained: the message of the cause may show parts of the key.
            raise ConfigurationError(f"{name} does not contain valid Google credentials of type "
                                     f"{values['type']}") from None

    def default(self) -> Any:
        """The application default credentials and their project; None if there are none.

        Raises:
            MissingExtraError: google-auth is not installed.
            ConfigurationError: those that are configured cannot be used.
        """
        google = _google_auth()
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # that user credentials have no quota project, and the like
                return google.default(scopes=SCOPES, request=self._transport(probing=True))
        except google.exceptions.DefaultCredentialsError as error:
            if _NOT_FOUND in str(error) and not os.environ.get("GOOGLE_APPLICATION_CREDENTIALS"):
                return None
            raise ConfigurationError(f"Google application default credentials are not usable: {error}") from None
        except google.exceptions.GoogleAuthError as error:
            raise AuthorizationError(f"Google application default credentials failed: {error}") from error

    def token(self, loaded: Any, source: str) -> GoogleToken:
        """A new token. Raises AuthorizationError with the server's message."""
        google = _google_auth()
        credentials, project = loaded
        try:
            credentials.refresh(self._transport())
        except google.exceptions.GoogleAuthError as error:
            raise AuthorizationError(f"no access token for the Google credentials from {source}: {error}") from error
        # Times of google-auth are UTC, without a time zone.
        expiry = credentials.expiry and credentials.expiry.replace(tzinfo=timezone.utc).timestamp()
        project = getattr(credentials, "quota_project_id", None) or project
        return GoogleToken(f"Bearer {credentials.token}", source, project, self._signer(credentials), expiry)

    def _signer(self, credentials: Any) -> GoogleSigner | None:
        """Signs with the key of the service account; without the key, Google signs."""
        from google.oauth2 import service_account

        if isinstance(credentials, service_account.Credentials):
            return GoogleSigner(credentials.service_account_email, credentials.sign_bytes)
        return remote_signer(credentials, self._transport())

    def _transport(self, *, probing: bool = False) -> _Transport:
        probe = Client(ThreadRuntime(), self._tls, _PROBE_TIMEOUT, _PROBE_TIMEOUT, policy=_ONCE)
        if probing:
            return _Transport(probe, probe)
        client = Client(ThreadRuntime(), self._tls, 10.0, 60.0, policy=self._policy, clock=self._clock)
        return _Transport(client, probe)


def _google_auth() -> Any:
    try:
        import google.auth
        import google.auth.exceptions
    except ImportError as error:
        raise MissingExtraError("google-auth is not installed: pip install 'cloudfiles[gs]'") from error
    return google.auth


# ---- requests of google-auth


class _Answer:
    """A response for google-auth."""

    def __init__(self, response: Response) -> None:
        self.status = response.status
        self.headers = response.headers
        self.data = response.content


class _TokenRequest(Request):
    """A request whose error responses are interpreted by google-auth."""

    __slots__ = ()

    def accept(self, response: Response) -> _Answer:
        if response.status in RETRYABLE_STATUS:
            raise status_error(response)
        return _Answer(response)


class _Transport:
    """google-auth's `transport.Request`: a callable that sends one request.

    probe: the client for servers that may not exist.
    """

    def __init__(self, client: Client, probe: Client) -> None:
        self._client = client
        self._probe = probe

    def __call__(self, url: str, method: str = "GET", body: bytes | str | None = None,
                 headers: Mapping[str, str] | None = None, timeout: float | None = None, **_: Any) -> _Answer:
        """Raises google.auth.exceptions.TransportError. Uses the timeouts of the client."""
        from google.auth.exceptions import TransportError

        may_fail = url.startswith(_PROJECTS)
        client = self._probe if may_fail else self._client
        parts = urllib.parse.urlsplit(url)
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        content = body.encode() if isinstance(body, str) else body or b""
        fields = {name.lower(): str(value) for name, value in (headers or {}).items()}
        try:
            answer: _Answer = client.send(_TokenRequest(Origin.of(url), method, target, fields, content))
        except CloudFilesError as error:
            if may_fail:
                return _Answer(Response(404, {}, b"{}"))
            raise TransportError(str(error)) from error
        finally:
            client.close()
        return answer
