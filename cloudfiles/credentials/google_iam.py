"""Signatures for service accounts without their key: by Google, through the IAM Credentials API.

Source: IAM Credentials API reference, "projects.serviceAccounts.signBlob"; google-auth's `google.auth.iam`.
"""

from __future__ import annotations

from typing import Any

from cloudfiles.credentials.google_sources import GoogleSigner
from cloudfiles.exceptions import AuthorizationError, ConnectionFailedError

SCOPES = ("https://www.googleapis.com/auth/iam",)
"""The narrowest scope for signBlob; those of Cloud Storage are not sufficient."""

_UNKNOWN = (None, "", "default")


def remote_signer(credentials: Any, transport: Any) -> GoogleSigner | None:
    """The signer for the service account of these google-auth credentials; None if they are of no service account.

    credentials: those of the metadata server, impersonated, or federated ones that impersonate; refreshed before.
    transport: for requests of google-auth. None is sent before something is signed.
    """
    email = getattr(credentials, "service_account_email", None)
    if email in _UNKNOWN or not hasattr(credentials, "with_scopes"):
        return None
    return GoogleSigner(email, _IamSigner(credentials, transport, email), is_remote=True)


class _IamSigner:
    """Signs bytes with one request, and another one for a token about once an hour."""

    def __init__(self, credentials: Any, transport: Any, email: str) -> None:
        self._credentials = credentials
        self._transport = transport
        self._email = email
        self._sign: Any = None

    def __call__(self, data: bytes) -> bytes:
        """Raises AuthorizationError with the server's message."""
        from google.auth.exceptions import GoogleAuthError

        try:
            self._sign = self._sign or self._signing()
            signature: bytes = self._sign(data)
        except (GoogleAuthError, KeyError, ValueError) as error:
            raise AuthorizationError(
                f"signing as {self._email} failed: {error} (this requires the role "
                "roles/iam.serviceAccountTokenCreator on this account, even for the account itself, and the IAM "
                "Service Account Credentials API enabled)"
            ) from error
        except OSError as error:  # of sessions that google-auth opens itself
            raise ConnectionFailedError(f"signing as {self._email} failed: {error}") from error
        return signature

    def _signing(self) -> Any:
        from google.auth import iam, impersonated_credentials

        if isinstance(self._credentials, impersonated_credentials.Credentials):
            return self._credentials.sign_bytes  # with the permissions of the impersonating account
        return iam.Signer(self._transport, self._credentials.with_scopes(SCOPES), self._email).sign
