"""Secrets files: JSON objects in a few directories, named after the service or bucket.

`aws-secret.json` is for S3, `BUCKET-aws-secret.json` for one bucket, `ALIAS-secret.json` for the store of an alias, and
so on. A file that has changed is read again.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from cloudfiles.exceptions import ConfigurationError
from cloudfiles.lib import FileSignature, file_signature, parse_json_object, read_json_object, toabs
from cloudfiles.runtime.descriptors import with_descriptor

Secrets = Mapping[str, Any] | str | bytes | os.PathLike[str]
"""The types of `secrets=`: a mapping, JSON text, or the path of a JSON file."""

_read: dict[str, tuple[FileSignature, dict[str, Any]]] = {}


def directories(environ: Mapping[str, str] | None = None) -> list[str]:
    """The directories that are searched, in order, without duplicates."""
    environ = os.environ if environ is None else environ
    homes = (environ.get("CLOUD_FILES_DIR"), environ.get("CLOUD_VOLUME_DIR"), "~/.cloudfiles", "~/.cloudvolume")
    return list(dict.fromkeys(os.path.join(toabs(home), "secrets") for home in homes if home))


def candidates(names: Iterable[str], environ: Mapping[str, str] | None = None) -> Iterator[str]:
    """All paths of files with one of `names`: the first name in all directories, then the next."""
    searched = directories(environ)
    return (os.path.join(directory, name) for name in names for directory in searched)


def find(names: Iterable[str], environ: Mapping[str, str] | None = None) -> tuple[str, dict[str, Any]] | None:
    """The path and content of the first file that exists; None if there is none.

    Raises:
        ConfigurationError: it cannot be read, or is not a JSON object. Names the file, not its content.
    """
    for path in candidates(names, environ):
        content = read(path)
        if content is not None:
            return path, content
    return None


def read(path: str) -> dict[str, Any] | None:
    """The JSON object in `path`, cached while the file does not change; None if there is no file."""
    signature = file_signature(path)
    if signature is None:
        return None
    known = _read.get(path)
    if known is None or known[0] != signature:
        known = _read[path] = signature, with_descriptor(read_json_object, path)
    return dict(known[1])


def load(secrets: Secrets) -> tuple[str, dict[str, Any]]:
    """The name and content of the source given by `secrets=`.

    Raises:
        ConfigurationError: it has another type, or the file cannot be read. The message does not contain the text,
            which may be a secret.
    """
    if isinstance(secrets, Mapping):
        return "secrets=", dict(secrets)
    if isinstance(secrets, bytes) or (isinstance(secrets, str) and secrets.lstrip().startswith("{")):
        return "secrets=", parse_json_object(secrets, "secrets=")
    if not isinstance(secrets, (str, os.PathLike)):
        raise ConfigurationError(
            f"secrets: expected a dict, JSON text or the path of a JSON file, got {type(secrets).__name__}")
    path = toabs(secrets)
    content = read(path) if "\0" not in path else None
    if content is None:
        raise ConfigurationError("secrets: expected a dict, JSON text or the path of an existing file")
    return path, content
