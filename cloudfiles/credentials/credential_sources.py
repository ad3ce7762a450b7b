"""The sources that are searched for credentials before a provider's own chain, and the fields that are read there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any

from cloudfiles.credentials import secrets_files
from cloudfiles.credentials.secrets_files import Secrets
from cloudfiles.exceptions import ConfigurationError
from cloudfiles.values import NamedTuple, Value


class SourceReport(NamedTuple):
    """A source and what was found there, without secrets."""

    source: str
    found: str


class CredentialSource(Value):
    """A source that was read.

    Attributes:
        name: the source in words, or the path of a file.
        values: its content; empty if there is none.
        exists: whether it is there at all; False for a missing file.
        is_file: whether it is a file, which may be rewritten at any time.
        is_explicit: whether the user passed it as `secrets=`.
    """

    _hidden = frozenset({"values"})

    name: str
    values: Mapping[str, Any] = MappingProxyType({})
    exists: bool = True
    is_file: bool = False
    is_explicit: bool = False


def secret_sources(secrets: Secrets | None, file_names: Iterable[str], environ: Mapping[str, str]
                   ) -> Iterator[CredentialSource]:
    """`secrets=`, then every secrets file that may have one of these names, each read on demand."""
    if secrets is not None:
        name, values = secrets_files.load(secrets)
        yield CredentialSource(name, values, is_file=name != "secrets=", is_explicit=True)
    for path in secrets_files.candidates(file_names, environ):
        content = secrets_files.read(path)
        yield CredentialSource(path, content or {}, exists=content is not None, is_file=True)


def known_fields(source: str, values: Mapping[str, Any], spellings: Mapping[str, Iterable[str]]) -> dict[str, str]:
    """The known fields among `values`. Empty and null fields are treated as missing.

    spellings: the accepted names of each field, in lower case; the first one present is used. Raises
    ConfigurationError.
    """
    lower = {str(name).lower(): value for name, value in values.items()}
    found: dict[str, str] = {}
    for name, candidates in spellings.items():
        spelling = next((spelling for spelling in candidates if lower.get(spelling)), None)
        if spelling is not None:
            found[name] = _text(source, spelling, lower[spelling])
    return found


def _text(source: str, name: str, value: Any) -> str:
    if not isinstance(value, str):
        raise ConfigurationError(f"{source}: {name}: expected a str, got {type(value).__name__}")
    stripped = value.strip()  # a newline after a pasted key would make every signature wrong
    if not (stripped.isascii() and stripped.isprintable()):
        raise ConfigurationError(f"{source}: {name}: expected one line of printable ASCII")
    return stripped
