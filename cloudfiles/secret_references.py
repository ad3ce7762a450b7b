"""References to secrets that were passed as arguments: pickles contain references, never secrets.

The process that pickled an object, its forks, and the worker processes that cloudfiles starts can resolve a reference.
In any other process, using the object raises an error. It does not look for other credentials, which might belong to
another account.
"""

from __future__ import annotations

import io
import json
import os
import weakref
from collections.abc import Mapping
from typing import Any

from cloudfiles.exceptions import MissingCredentialsError, redact
from cloudfiles.lib import toabs
from cloudfiles.values import Value

_known: dict[str, Any] = {}
"""The secrets by the names in pickles that were created or accepted in this process."""


class LiveSecrets:
    """Secrets of existing objects, which may be pickled, so that forks know them. Removed with the last object."""

    def __init__(self, secrets: Any) -> None:
        self.secrets = secrets


_live: weakref.WeakValueDictionary[str, LiveSecrets] = weakref.WeakValueDictionary()

_key = os.urandom(16)  # without it, a name says nothing about the secrets; forks have the same one


class SecretReference(Value):
    """A reference in a pickle to secrets that were passed as arguments."""

    name: str


def is_literal(secrets: Any) -> bool:
    """Whether `secrets` are actual secrets, rather than None, a reference, or the path of a file."""
    return secrets is not None and not isinstance(secrets, SecretReference) and _path(secrets) is None


def _path(secrets: Any) -> str | None:
    """The absolute path of the file that `secrets` refers to; None if it is not a path."""
    if not isinstance(secrets, str | os.PathLike):
        return None
    text = os.fspath(secrets)
    if not isinstance(text, str) or text.lstrip().startswith("{") or "\0" in text:
        return None
    return toabs(text) if os.path.isfile(toabs(text)) else None


def register(secrets: Any) -> LiveSecrets | None:
    """Let forks know the secrets for as long as the result is kept."""
    return _live.setdefault(_name(secrets), LiveSecrets(secrets)) if is_literal(secrets) else None


def reference(secrets: Any) -> Any:
    """The representation of `secrets` in a pickle: a reference, or the absolute path of their file."""
    path = _path(secrets)
    if path is not None or not is_literal(secrets):
        return path or secrets
    name = _name(secrets)
    _known[name] = secrets
    return SecretReference(name)


def define(name: str, secrets: Any) -> SecretReference:
    """Remember the secrets of `name`."""
    _known[name] = secrets
    return SecretReference(name)


def resolve(reference: SecretReference) -> Any:
    """The secrets of a reference; the reference itself if they are unknown in this process."""
    if reference.name in _known:
        return _known[reference.name]
    held = _live.get(reference.name)
    return reference if held is None else held.secrets


# ---- secrets in cloudpaths: http://user:password@host, https://host/dir?sig=...

_live_paths: weakref.WeakValueDictionary[str, Any] = weakref.WeakValueDictionary()
"""The owners of cloudpaths with secrets, so that forks know them."""


def register_path(cloudpath: str, holder: Any) -> None:
    """Let forks know the cloudpath for as long as `holder` exists, which has it as its `cloudpath`."""
    if has_secret(cloudpath):
        _live_paths[_name(cloudpath)] = holder


def path_reference(cloudpath: str) -> SecretReference | None:
    """The reference to a cloudpath that contains a secret, for a pickle; None if it contains none."""
    if not has_secret(cloudpath):
        return None
    name = _name(cloudpath)
    _known[name] = cloudpath
    return SecretReference(name)


def resolve_path(reference: SecretReference) -> str | None:
    """The cloudpath of a reference; None if it is unknown in this process."""
    holder = _live_paths.get(reference.name)
    found: str | None = _known.get(reference.name) or (None if holder is None else holder.cloudpath)
    return found


def has_secret(cloudpath: str) -> bool:
    return redact(cloudpath) != cloudpath


def lacks_secret() -> MissingCredentialsError:
    return MissingCredentialsError(
        "the cloudpath contained a secret (http://user:password@host, or ?sig=), which is never stored in pickles or "
        "saved transfers. Provide it again: create the CloudFiles in this process, or pass the cloudpath to "
        "load(store=CLOUDPATH); see \"Pickling\" in docs/guide/workers.md")


class ExportedSecrets:
    """The secrets that pickles of some objects refer to, for another process. Its own pickle contains them."""

    def __init__(self, known: dict[str, Any]) -> None:
        self._known = known

    def __repr__(self) -> str:
        return f"<ExportedSecrets: {len(self._known)}>"

    def define(self) -> None:
        """Make them known in this process."""
        _known.update(self._known)


def export(objects: Any) -> ExportedSecrets:
    """The secrets that a pickle of `objects` refers to."""
    import pickle

    found: dict[str, Any] = {}

    class Finder(pickle.Pickler):
        def reducer_override(self, obj: Any) -> Any:
            if type(obj) is SecretReference:
                found[obj.name] = resolve_path(obj) or resolve(obj)
            return NotImplemented

    Finder(io.BytesIO(), 5).dump(objects)
    return ExportedSecrets(found)


def check_known(secrets: Any) -> None:
    """Raise MissingCredentialsError for a reference that is unknown in this process."""
    if isinstance(secrets, SecretReference):
        raise MissingCredentialsError(
            "this object was unpickled in another process, and pickles do not contain secrets passed as secrets=. Pass "
            "secrets='/path/of/file.json' instead, create the CloudFiles in that process, or call "
            "cloudfiles.secrets.import_secrets there; see \"Pickling\" in docs/guide/workers.md")


def _name(secrets: Any) -> str:
    """A name, which is the same for equal secrets."""
    content = dict(secrets) if isinstance(secrets, Mapping) else secrets
    if isinstance(content, bytes):
        content = content.decode("latin-1")
    import hashlib  # here, as it loads OpenSSL

    try:
        text = json.dumps(content, sort_keys=True)
    except (TypeError, ValueError):
        return os.urandom(16).hex()
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), key=_key, digest_size=16).hexdigest()
