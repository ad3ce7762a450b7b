"""botocore's credential chain: SSO, assumed roles, web identity, credential_process, containers, IMDS, ~/.aws files."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from cloudfiles.credentials.aws_sources import AwsCredentials
from cloudfiles.exceptions import AuthorizationError, MissingExtraError

METADATA_TIMEOUT = 1  # seconds; the address is link-local: on EC2 it responds in milliseconds
METADATA_ATTEMPTS = 2  # one more than botocore's default: IMDS throttles nodes with many processes that start at once


def load() -> AwsCredentials | None:
    """The credentials that botocore finds, or None. Blocks: it may run programs and send requests.

    Each call uses a new session, so that files are read and tokens are fetched again.

    Raises:
        MissingExtraError: botocore is not installed.
        AuthorizationError: a configured source has failed; see the cause.
    """
    try:
        import botocore.exceptions
        import botocore.session
    except ImportError as error:
        raise MissingExtraError("botocore is not installed: pip install 'cloudfiles[s3]'") from error
    try:
        return _load(botocore.session.Session())
    except botocore.exceptions.BotoCoreError as error:
        raise AuthorizationError(f"botocore found a source of AWS credentials, but it failed: {error}") from error


def _load(session: Any) -> AwsCredentials | None:
    for name, patient in (("timeout", METADATA_TIMEOUT), ("num_attempts", METADATA_ATTEMPTS)):
        variable = f"metadata_service_{name}"
        if session.get_config_variable(variable) == 1:  # botocore's default, not the user's choice
            session.set_config_variable(variable, patient)
    found = session.get_credentials()
    if found is None:
        return None
    frozen = found.get_frozen_credentials()
    # botocore has no public attribute for the expiry; static credentials have none.
    expiry: datetime | None = getattr(found, "_expiry_time", None)
    return AwsCredentials(
        frozen.access_key, frozen.secret_key, frozen.token, session.get_config_variable("region"),
        _endpoint(session), expiry.timestamp() if expiry else None, f"botocore ({found.method})")


def _endpoint(session: Any) -> str | None:
    """`endpoint_url` of the profile: that for S3 in its services section, else that for all services."""
    profile = session.get_scoped_config()
    service = session.full_config.get("services", {}).get(profile.get("services"), {}).get("s3", {})
    if session.get_config_variable("ignore_configured_endpoint_urls"):
        return None
    endpoint: str | None = service.get("endpoint_url") or profile.get("endpoint_url")
    return endpoint
