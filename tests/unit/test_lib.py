import os
import sys

import pytest

from cloudfiles.exceptions import ConfigurationError
from cloudfiles.lib import (
    file_signature,
    mkdir,
    parse_json_object,
    read_json_object,
    replace_file,
    settings_dir,
    toabs,
    touch,
)


def test_toabs(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    assert toabs("~/x") == str(tmp_path / "x")
    assert toabs("a/../b/") == os.path.join(os.getcwd(), "b")
    assert toabs(tmp_path / "y") == str(tmp_path / "y")


def test_mkdir_makes_parents_and_returns_the_absolute_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert mkdir("a/b/c") == str(tmp_path / "a" / "b" / "c")
    assert mkdir("a/b/c") == str(tmp_path / "a" / "b" / "c")
    assert (tmp_path / "a/b/c").is_dir()


def test_mkdir_over_a_file_is_an_error(tmp_path):
    touch(tmp_path / "file")
    with pytest.raises(FileExistsError):
        mkdir(tmp_path / "file")


def test_touch_creates_and_keeps_content(tmp_path):
    path = tmp_path / "new" / "file"
    touch(path)
    assert path.read_bytes() == b""
    path.write_bytes(b"content")
    os.utime(path, (1, 1))
    touch(str(path))
    assert path.read_bytes() == b"content"
    assert path.stat().st_mtime > 1


def test_settings_dir(monkeypatch, tmp_path):
    monkeypatch.setenv("CLOUD_FILES_DIR", str(tmp_path))
    assert settings_dir() == str(tmp_path)
    monkeypatch.setenv("CLOUD_FILES_DIR", "")
    assert settings_dir() == os.path.expanduser(os.path.join("~", ".cloudfiles"))


def test_file_signature(tmp_path):
    path = tmp_path / "x"
    assert file_signature(str(path)) is None
    path.write_text("one")
    first = file_signature(str(path))
    assert file_signature(str(path / "below")) is None
    replace_file(str(path), b"two")
    assert file_signature(str(path)) not in (None, first)


def test_replace_file_leaves_the_old_one_when_it_fails(tmp_path, monkeypatch):
    path = tmp_path / "dir" / "x"
    replace_file(str(path), b"old")

    def refuse(*_):
        raise OSError("no")

    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(OSError, match="no"):
        replace_file(str(path), b"new")
    assert path.read_bytes() == b"old"
    assert os.listdir(path.parent) == ["x"]


@pytest.mark.parametrize("text", ["SECRET", "[\"SECRET\"]", b"\xff\xfeSECRET", '{"a": SECRET}'])
def test_bad_json_is_named_but_not_shown(text):
    with pytest.raises(ConfigurationError, match=r"some\.json") as caught:
        parse_json_object(text, "some.json")
    assert "SECRET" not in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.skipif(sys.platform == "win32", reason="a directory cannot be opened there either, but says otherwise")
def test_unreadable_file_is_named(tmp_path):
    with pytest.raises(ConfigurationError, match=str(tmp_path)):
        read_json_object(str(tmp_path))
