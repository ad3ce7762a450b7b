import json
import os
import sys
import types
from pathlib import Path

import pytest

from cloudfiles import secrets
from cloudfiles.credentials import secrets_files
from cloudfiles.exceptions import ConfigurationError, MissingExtraError

SECRET = "wJalrXUtnFEMI"


@pytest.fixture
def folders(tmp_path, monkeypatch):
    """The four directories of secrets, in the order in which they are searched."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("USERPROFILE", str(tmp_path / "home"))
    monkeypatch.setenv("CLOUD_FILES_DIR", str(tmp_path / "cf"))
    monkeypatch.setenv("CLOUD_VOLUME_DIR", str(tmp_path / "cv"))
    found = [Path(directory) for directory in secrets_files.directories()]
    for directory in found:
        directory.mkdir(parents=True)
    return found


def write(path, content):
    path.write_text(json.dumps(content))


def test_directories(folders, tmp_path):
    assert folders == [tmp_path / "cf/secrets", tmp_path / "cv/secrets",
                       tmp_path / "home/.cloudfiles/secrets", tmp_path / "home/.cloudvolume/secrets"]
    home = tmp_path / "home"
    assert secrets_files.directories({"CLOUD_FILES_DIR": str(home / ".cloudfiles"), "CLOUD_VOLUME_DIR": ""}) == [
        str(home / ".cloudfiles/secrets"), str(home / ".cloudvolume/secrets")]


def test_search_order(folders):
    assert secrets_files.find(["aws-secret.json"]) is None
    for n, directory in reversed(list(enumerate(folders))):
        write(directory / "aws-secret.json", {"n": n})
        assert secrets_files.find(["aws-secret.json"]) == (str(directory / "aws-secret.json"), {"n": n})
    write(folders[3] / "bucket-aws-secret.json", {"n": "bucket"})
    assert secrets_files.find(["bucket-aws-secret.json", "aws-secret.json"])[1] == {"n": "bucket"}


def test_rotated_file_is_read_again_and_an_unchanged_one_is_not(folders, monkeypatch):
    path = folders[0] / "http-secret.json"
    write(path, {"token": "one"})
    reads = []
    read = secrets_files.read_json_object
    monkeypatch.setattr(secrets_files, "read_json_object", lambda path: reads.append(path) or read(path))
    assert secrets.http_credentials() == {"token": "one"}
    assert secrets.http_credentials() == {"token": "one"}
    assert len(reads) == 1
    other = folders[0] / "other"
    write(other, {"token": "two"})
    times = path.stat().st_mtime_ns
    os.utime(other, ns=(times, times))
    os.replace(other, path)  # same size, same time: another inode
    assert secrets.http_credentials() == {"token": "two"}
    path.unlink()
    assert secrets.http_credentials() is None


def test_what_a_caller_changes_is_not_remembered(folders):
    write(folders[0] / "http-secret.json", {"token": "one"})
    secrets.http_credentials().clear()
    assert secrets.http_credentials() == {"token": "one"}


@pytest.mark.parametrize("content", [SECRET, f'{{"key": {SECRET}}}', f'["{SECRET}"]', ""])
def test_broken_file_is_named_but_not_shown(folders, content):
    (folders[1] / "aws-secret.json").write_text(content)
    with pytest.raises(ConfigurationError, match=r"cv.secrets.aws-secret\.json") as caught:
        secrets.aws_credentials()
    assert SECRET not in str(caught.value)
    assert caught.value.__cause__ is None


def test_load(tmp_path):
    path = tmp_path / "my.json"
    write(path, {"a": "b"})
    assert secrets_files.load({"a": "b"}) == ("secrets=", {"a": "b"})
    assert secrets_files.load(' {"a": "b"}') == ("secrets=", {"a": "b"})
    assert secrets_files.load(b'{"a": "b"}') == ("secrets=", {"a": "b"})
    assert secrets_files.load(path) == (str(path), {"a": "b"})
    assert secrets_files.load(str(path)) == (str(path), {"a": "b"})


@pytest.mark.parametrize("given", [SECRET, f"{{{SECRET}", f"/{SECRET}/x.json", f"{SECRET}\0", 5, [SECRET]])
def test_load_refuses_without_showing(given):
    with pytest.raises(ConfigurationError, match=r"secrets(: expected|= is not valid JSON)") as caught:
        secrets_files.load(given)
    assert SECRET not in str(caught.value)


def test_aws_credentials(folders, monkeypatch):
    assert secrets.aws_credentials() == {}
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIA")
    assert secrets.aws_credentials() == {"AWS_DEFAULT_REGION": "eu-west-1"}
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    monkeypatch.setenv("AWS_SESSION_TOKEN", "token")
    assert secrets.aws_credentials("bucket") == {
        "AWS_ACCESS_KEY_ID": "AKIA", "AWS_SECRET_ACCESS_KEY": SECRET, "AWS_SESSION_TOKEN": "token",
        "AWS_DEFAULT_REGION": "eu-west-1"}
    write(folders[3] / "aws-secret.json", {"AWS_ACCESS_KEY_ID": "general"})
    write(folders[3] / "bucket-aws-secret.json", {"AWS_ACCESS_KEY_ID": "bucket"})
    write(folders[3] / "matrix-secret.json", {"AWS_ACCESS_KEY_ID": "matrix"})
    assert secrets.aws_credentials() == secrets.aws_credentials("other", "s3") == {"AWS_ACCESS_KEY_ID": "general"}
    assert secrets.aws_credentials("bucket") == {"AWS_ACCESS_KEY_ID": "bucket"}
    assert secrets.aws_credentials("bucket", "matrix") == {"AWS_ACCESS_KEY_ID": "matrix"}


def test_cave_credentials(folders):
    assert secrets.cave_credentials() is None
    write(folders[3] / "chunkedgraph-secret.json", {"token": "old"})
    assert secrets.cave_credentials() == {"token": "old"}
    write(folders[3] / "cave-secret.json", {"token": "new"})
    assert secrets.cave_credentials() == {"token": "new"}
    write(folders[3] / "example.org-cave-secret.json", {"token": "own"})
    assert secrets.cave_credentials("example.org") == {"token": "own"}
    assert secrets.cave_credentials("other.org") == {"token": "new"}


class ServiceAccount:
    def __init__(self, info):
        self.info = info

    @classmethod
    def from_service_account_info(cls, info):
        if "private_key" not in info:
            raise ValueError(f"bad: {info}")
        return cls(info)


@pytest.fixture
def google_auth(monkeypatch):
    module = types.ModuleType("google.oauth2.service_account")
    module.Credentials = ServiceAccount
    for name in ("google", "google.oauth2"):
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    monkeypatch.setitem(sys.modules, "google.oauth2.service_account", module)


def test_google_credentials(folders, google_auth):
    assert secrets.google_credentials() == (None, None)
    write(folders[2] / "google-secret.json", {"project_id": "general", "private_key": SECRET})
    write(folders[2] / "bucket-google-secret.json", {"project_id": "own", "private_key": SECRET})
    project, credentials = secrets.google_credentials()
    assert (project, credentials.info["private_key"]) == ("general", SECRET)
    assert secrets.google_credentials("bucket")[0] == "own"
    write(folders[2] / "google-secret.json", {"project_id": SECRET})
    with pytest.raises(ConfigurationError, match=r"google-secret\.json") as caught:
        secrets.google_credentials()
    assert SECRET not in str(caught.value)
    assert caught.value.__cause__ is None


def test_google_credentials_without_google_auth(folders, monkeypatch):
    write(folders[2] / "google-secret.json", {"project_id": "p", "private_key": SECRET})
    monkeypatch.setitem(sys.modules, "google.oauth2.service_account", None)
    with pytest.raises(MissingExtraError, match="pip install google-auth"):
        secrets.google_credentials()
