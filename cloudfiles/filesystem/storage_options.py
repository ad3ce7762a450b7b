"""The options of s3fs, gcsfs and adlfs as those of `CloudFiles`.

Options with a counterpart are translated, those that change nothing here are dropped, and for all others an error says
what to use instead.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from cloudfiles.cloudfiles import CloudFilesOptions
from cloudfiles.exceptions import InvalidInputError

OPTIONS = frozenset(CloudFilesOptions.__annotations__)
"""The options of `CloudFiles`."""

_DROPPED = frozenset({
    "asynchronous", "loop", "batch_size", "skip_instance_cache", "auto_mkdir", "default_block_size",
    "default_cache_type", "default_fill_cache", "fill_cache", "cache_regions", "project", "use_ssl", "consistency",
    "default_cache_options"})
"""Options that change nothing: what they are for is done in any case, or chosen by itself."""


class _Secret(NamedTuple):
    """An option that is a field of `secrets=`."""

    field: str


class _Option(NamedTuple):
    """An option that is one of `CloudFiles`, whose value is converted."""

    name: str
    convert: Callable[[Any], Any] = lambda value: value


class _Unless(NamedTuple):
    """An option that is only accepted with values that change nothing."""

    harmless: tuple[Any, ...]
    advice: str


_Rule = _Secret | _Option | _Unless

_ANON = _Option("no_sign_request", bool)
_PAYER = _Option("request_payer", lambda value: "requester" if value else None)

_S3: dict[str, _Rule] = {
    "anon": _ANON, "endpoint_url": _Option("endpoint"), "requester_pays": _PAYER,
    "key": _Secret("AWS_ACCESS_KEY_ID"), "username": _Secret("AWS_ACCESS_KEY_ID"),
    "secret": _Secret("AWS_SECRET_ACCESS_KEY"), "password": _Secret("AWS_SECRET_ACCESS_KEY"),
    "token": _Secret("AWS_SESSION_TOKEN"),
    "profile": _Unless((None,), "set AWS_PROFILE in the environment"),
    "session": _Unless((None,), "pass secrets="),
    "version_aware": _Unless((None, False), "versions of objects are not supported"),
    "s3_additional_kwargs": _Unless((None, {}), "pass content_type=, cache_control=, storage_class= and metadata= "
                                                "when writing"),
    "fixed_upload_size": _Unless((None, False), "the size of parts is chosen by the size of the object"),
}

_S3_CLIENT: dict[str, _Rule] = {
    "endpoint_url": _Option("endpoint"), "aws_access_key_id": _Secret("AWS_ACCESS_KEY_ID"),
    "aws_secret_access_key": _Secret("AWS_SECRET_ACCESS_KEY"), "aws_session_token": _Secret("AWS_SESSION_TOKEN"),
    "region_name": _Secret("AWS_DEFAULT_REGION"),
    "verify": _Option("ca_bundle", lambda value: None if value is True else _certificates(value)),
}

_S3_CONFIG: dict[str, _Rule] = {
    "connect_timeout": _Option("connect_timeout"), "read_timeout": _Option("read_timeout"),
    "max_pool_connections": _Option("max_concurrency"),
}

_GS: dict[str, _Rule] = {
    "endpoint_url": _Option("endpoint"), "requester_pays": _PAYER, "timeout": _Option("read_timeout"),
    "access": _Unless((None, "full_control", "read_write"), "access is what the credentials allow"),
    "cache_timeout": _Unless((None, 0), "pass use_listings_cache=True and listings_expiry_time="),
    "version_aware": _Unless((None, False), "versions of objects are not supported"),
    "session_kwargs": _Unless((None, {}), "see the options of CloudFiles for TLS and timeouts"),
}

_AZURE: dict[str, _Rule] = {
    "anon": _ANON, **{name: _Secret(name) for name in (
        "account_name", "account_key", "sas_token", "connection_string")},
    "credential": _Unless((None,), "pass secrets= with account_key or sas_token, or nothing for azure-identity's "
                                   "default chain"),
    **{name: _Unless((None,), f"set AZURE_{name.upper()} in the environment, which azure-identity reads")
       for name in ("tenant_id", "client_id", "client_secret")},
    "account_host": _Unless((None,), "pass endpoint="),
    "location_mode": _Unless((None, "primary"), "pass endpoint="),
}

_RULES = {"s3": _S3, "gs": _GS, "az": _AZURE, "abfs": _AZURE, "abfss": _AZURE}


def store_options(protocol: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """The options of `CloudFiles`.

    Raises InvalidInputError for an option that is not understood, or that contradicts another.
    """
    rest = {name: value for name, value in given.items() if name not in _DROPPED}
    known = {name: rest.pop(name) for name in list(rest) if name in OPTIONS}
    found: dict[str, Any] = {}
    secrets: dict[str, Any] = {}
    rules = _RULES.get(protocol, {})
    if protocol == "gs" and "token" in rest:
        found.update(_google_token(rest.pop("token")))
    if protocol == "s3":
        _apply(_S3_CLIENT, rest.pop("client_kwargs", None) or {}, found, secrets, "client_kwargs")
        _apply(_S3_CONFIG, rest.pop("config_kwargs", None) or {}, found, secrets, "config_kwargs")
    _apply(rules, rest, found, secrets, "")
    if set(secrets) - {"AWS_DEFAULT_REGION"}:
        found["secrets"] = secrets
    for name in sorted(found.keys() & known.keys()):
        if known[name] is not None and known[name] != found[name]:
            raise InvalidInputError(f"{name}= contradicts another option that means the same")
    return {**{name: value for name, value in found.items() if value is not None}, **known}


def _apply(rules: Mapping[str, _Rule], given: Mapping[str, Any], found: dict[str, Any], secrets: dict[str, Any],
           inside: str) -> None:
    for name, value in given.items():
        shown = f"{inside}[{name!r}]" if inside else f"{name}="
        rule = rules.get(name)
        if rule is None:
            raise InvalidInputError(f"unknown option {shown}; the options are those of CloudFiles: "
                                    f"{', '.join(sorted(OPTIONS))}")
        if isinstance(rule, _Unless):
            if value not in rule.harmless:
                raise InvalidInputError(f"the option {shown} is not supported: {rule.advice}")
        elif value is not None and isinstance(rule, _Secret):
            secrets[rule.field] = value
        elif value is not None and isinstance(rule, _Option):
            found[rule.name] = rule.convert(value)


def _google_token(token: Any) -> dict[str, Any]:
    """gcsfs' `token`: how to authenticate, or credentials."""
    if token in (None, "google_default", "cloud"):
        return {}
    if token == "anon":
        return {"no_sign_request": True}
    if token in ("browser", "cache") or not isinstance(token, str | Mapping):
        raise InvalidInputError("token: expected 'anon', 'google_default', or the content or path of a JSON file of "
                                f"credentials, got {token if isinstance(token, str) else type(token).__name__!r}; see "
                                "secrets= of CloudFiles")
    return {"secrets": dict(token) if isinstance(token, Mapping) else token}


def _certificates(value: Any) -> str:
    if not isinstance(value, str):
        raise InvalidInputError("client_kwargs['verify']: expected True or the path of a PEM file; servers are always "
                                "verified: pass ca_bundle= for an authority of your own")
    return value
