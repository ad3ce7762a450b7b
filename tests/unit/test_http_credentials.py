"""What web servers are shown, from where, and what is never shown to anybody."""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path
from typing import Any

import pytest

from cloudfiles.credentials.http_auth import Authorization, CaveCredentials, HttpCredentials
from cloudfiles.exceptions import ConfigurationError, MissingCredentialsError


def basic(text: str) -> str:
    return "Basic " + base64.b64encode(text.encode()).decode()


def value(credentials: HttpCredentials) -> str | None:
    found = credentials.get()
    return None if found is None else found.value


@pytest.fixture
def secrets(home: Path) -> Path:
    directory = home / ".cloudfiles" / "secrets"
    directory.mkdir(parents=True)
    return directory


@pytest.mark.parametrize(("given", "expected"), [
    ({"user": "me", "password": "p:w"}, basic("me:p:w")),
    ({"username": "m\u00e9", "password": ""}, basic("m\u00e9:")),
    ({"token": " abc\n"}, "Bearer abc"),
    ({"host": {"token": "t"}}, "Bearer t"),
    ({"HOST:8080": {"token": "port"}, "host": {"token": "t"}, "token": "all"}, "Bearer port"),
    ({"host:9090": {"token": "t"}}, None),
    ({"other": {"token": "t"}, "token": "all"}, "Bearer all"),
    ({"other": {"token": "t"}}, None),
    ({}, None),
])
def test_forms_of_a_secret(given: dict[str, Any], expected: str | None, tmp_path: Path) -> None:
    path = tmp_path / "secret.json"
    path.write_text(json.dumps(given))
    for form in (given, json.dumps(given), str(path), path):
        assert value(HttpCredentials("host:8080", form)) == expected


def test_places_in_order(secrets: Path) -> None:
    assert value(HttpCredentials("host")) is None
    (secrets / "http-secret.json").write_text('{"token": "file"}')
    assert value(HttpCredentials("host")) == "Bearer file"
    assert value(HttpCredentials("host", {"token": "given"})) == "Bearer given"
    assert value(HttpCredentials("host", {"other": {"token": "given"}})) is None
    assert value(HttpCredentials("host", {"token": "given"}, userinfo="a%40b:p%3Aw")) == basic("a@b:p:w")
    assert value(HttpCredentials("host", {"token": "given"}, userinfo="a", anonymous=True)) is None


def test_an_address_of_version_6() -> None:
    assert value(HttpCredentials("[::1]:80", {"[::1]": {"token": "t"}})) == "Bearer t"
    assert value(HttpCredentials("[::1]", {"[::1]": {"token": "t"}})) == "Bearer t"


@pytest.mark.parametrize("given", [
    {"user": "me"}, {"password": "hunter2"}, {"user": "a:b", "password": "hunter2"}, {"user": 1, "password": "hunter2"},
    {"token": ""}, {"token": "hunter2\r\nx: y"}, {"token": "hunter2 hunter2"}, {"token": "hunter2\u00e9"},
    {"token": 5}, {"AWS_SECRET_ACCESS_KEY": "hunter2"}, '{"hunter2"', 7,
])
def test_what_cannot_be_used_is_reported_without_showing_it(given: Any) -> None:
    with pytest.raises(ConfigurationError) as caught:
        HttpCredentials("host", given).get()
    assert "hunter2" not in str(caught.value)


def test_nothing_shows_the_secret(secrets: Path) -> None:
    credentials = HttpCredentials("host", {"token": "hunter2"})
    credentials.get()
    assert "hunter2" not in repr(credentials) + repr(credentials.get()) + credentials.searched


def test_a_rotated_file_is_read_again_when_refused(secrets: Path) -> None:
    path = secrets / "http-secret.json"
    path.write_text('{"token": "old"}')
    credentials = HttpCredentials("host")
    old = credentials.get()
    assert credentials.renew(old) is None
    path.write_text('{"token": "newer"}')
    assert credentials.get() == old
    fresh = credentials.renew(old)
    assert fresh == Authorization("Bearer newer", str(path))
    path.write_text('{"token": "newest!"}')
    assert credentials.renew(old) == fresh, "another worker has fetched it already"


def test_a_file_that_appears_is_found_when_refused(secrets: Path) -> None:
    credentials = HttpCredentials("host")
    assert credentials.get() is None
    (secrets / "http-secret.json").write_text('{"token": "t"}')
    assert credentials.renew(None) is not None


def test_cave_tokens_by_server_first(secrets: Path) -> None:
    (secrets / "chunkedgraph-secret.json").write_text('{"token": "oldest"}')
    assert value(CaveCredentials("host:8080")) == "Bearer oldest"
    (secrets / "cave-secret.json").write_text('{"token": "all"}')
    assert value(CaveCredentials("host:8080")) == "Bearer all"
    (secrets / "host-cave-secret.json").write_text('{"token": "host"}')
    assert value(CaveCredentials("host:8080")) == "Bearer host"
    (secrets / "host:8080-cave-secret.json").write_text('{"token": "port"}')
    assert value(CaveCredentials("host:8080")) == "Bearer port"
    assert value(CaveCredentials("host:8080", {"token": "given"})) == "Bearer given"
    assert value(CaveCredentials("other")) == "Bearer all"


def test_a_missing_cave_token_names_the_locations(secrets: Path) -> None:
    (secrets / "http-secret.json").write_text('{"token": "of plain servers"}')
    with pytest.raises(MissingCredentialsError) as caught:
        CaveCredentials("host").get()
    for place in ("host-cave-secret.json", "cave-secret.json", os.fspath(secrets)):
        assert place in str(caught.value)
    with pytest.raises(MissingCredentialsError, match="secrets="):
        CaveCredentials("host", {"other": {"token": "t"}}).get()
