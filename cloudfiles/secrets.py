"""Read secrets files, for programs that access a service themselves, and pass secrets to other processes."""

from __future__ import annotations

import importlib
import os
from typing import Any

from cloudfiles import secret_references
from cloudfiles.credentials import secrets_files
from cloudfiles.credentials.aws_sources import file_names
from cloudfiles.exceptions import ConfigurationError, MissingExtraError
from cloudfiles.secret_references import ExportedSecrets

_AWS_KEY = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
_AWS_LOCATION = ("AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL")


def aws_credentials(bucket: str = "", service: str = "aws", skip_files: bool = False) -> dict[str, Any]:
    """The S3 secret for `bucket` of `service` ('aws', 's3' or an alias): AWS_ACCESS_KEY_ID etc.

    Taken from the secrets files, unchanged, or else from the environment; {} if neither has one. With `skip_files`,
    only from the environment, and without an endpoint.

    Raises:
        ConfigurationError: a secrets file cannot be read.
    """
    found = None if skip_files else secrets_files.find(file_names(bucket, "aws" if service == "s3" else service))
    if found is not None and found[1]:
        return found[1]
    names = (*_AWS_KEY, "AWS_DEFAULT_REGION") if skip_files else (*_AWS_KEY, *_AWS_LOCATION)
    values = {name: os.environ[name] for name in names if os.environ.get(name)}
    if "AWS_ACCESS_KEY_ID" in values and "AWS_SECRET_ACCESS_KEY" in values:
        return values
    return {name: values[name] for name in _AWS_LOCATION if name in values}


def google_credentials(bucket: str = "") -> tuple[str | None, Any]:
    """Project and `google.oauth2.service_account.Credentials` for `bucket`; (None, None) if no file contains them.

    Raises:
        ConfigurationError: the secrets file cannot be read, or does not belong to a service account.
        MissingExtraError: a file exists, but google-auth is not installed.
    """
    found = secrets_files.find([f"{bucket}-google-secret.json"] * bool(bucket) + ["google-secret.json"])
    if found is None:
        return None, None
    path, secret = found
    try:
        service_account = importlib.import_module("google.oauth2.service_account")
    except ImportError as error:
        raise MissingExtraError("google-auth is not installed: pip install google-auth") from error
    try:
        return secret.get("project_id"), service_account.Credentials.from_service_account_info(secret)
    except ValueError:
        # Not chained: the message of the cause may contain parts of the key.
        raise ConfigurationError(f"{path} does not contain a service account key") from None


def http_credentials() -> dict[str, Any] | None:
    """The content of `http-secret.json`, or None if it does not exist. Raises ConfigurationError."""
    return _content("http-secret.json")


def cave_credentials(domain: str = "") -> dict[str, Any] | None:
    """The token for CAVE servers, preferably that of `domain`; None if there is none.

    Raises:
        ConfigurationError: a secrets file cannot be read.
    """
    own = [f"{domain}-cave-secret.json"] * bool(domain)
    return _content(*own, "cave-secret.json", "chunkedgraph-secret.json")


def export_secrets(*objects: Any) -> ExportedSecrets:
    """The secrets that were passed as `secrets=` to these CloudFiles (or objects that contain some).

    Pickles of a CloudFiles do not contain secrets, but a pickle of the result does, so choose how to send it. As an
    argument of a process pool's initializer it goes through a pipe that nobody else reads.

        ProcessPoolExecutor(initializer=import_secrets, initargs=(export_secrets(cf),))
    """
    return secret_references.export(objects)


def import_secrets(exported: ExportedSecrets) -> None:
    """In another process: make the exported secrets available to objects that are unpickled there."""
    exported.define()


def _content(*names: str) -> dict[str, Any] | None:
    found = secrets_files.find(names)
    return found[1] if found else None
