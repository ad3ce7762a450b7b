"""Places that hold credentials ready, and the fields read from them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from cloudfiles.exceptions import ConfigurationError


@dataclass(frozen=True)
class CredentialSource:
    """A place that was looked into.

    Attributes:
        name: the place in words, or the path of a file.
        values: the fields that it holds, by the names of the provider's credentials; empty where there is nothing.
        file: whether it is a file, which may be rewritten at any time.
    """

    name: str
    values: Mapping[str, str] = field(default_factory=dict, repr=False)
    file: bool = False


def known_fields(source: str, values: Mapping[str, Any], spellings: Mapping[str, Iterable[str]]) -> dict[str, str]:
    """The known fields among `values`; those that are empty or null count as not there.

    spellings: of each field, in lower case; the first that is there counts. Raises ConfigurationError.
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
    stripped = value.strip()  # a line end behind a pasted key would make every signature wrong
    if not (stripped.isascii() and stripped.isprintable()):
        raise ConfigurationError(f"{source}: {name}: expected one line of printable ASCII")
    return stripped
