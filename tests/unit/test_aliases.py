import json
import threading

import pytest

from cloudfiles import aliases, cloudpath_parser, paths
from cloudfiles.exceptions import ConfigurationError, InvalidInputError, UnsupportedProtocolError


@pytest.fixture(autouse=True)
def settings(tmp_path, monkeypatch):
    """A registry of its own for each test, over an empty settings directory."""
    monkeypatch.setenv("CLOUD_FILES_DIR", str(tmp_path))
    monkeypatch.setattr(aliases, "ALLOWED_PROTOCOLS", paths.ALLOWED_PROTOCOLS)
    before = list(paths.ALLOWED_PROTOCOLS)
    registry = aliases.AliasRegistry()
    registry.version = aliases.registry.version + 1000  # the cache of paths is shared
    monkeypatch.setattr(aliases, "registry", registry)
    for module in (paths, cloudpath_parser):
        monkeypatch.setattr(module, "registry", registry)
    yield tmp_path
    paths.ALLOWED_PROTOCOLS[:] = before
    cloudpath_parser._parse.cache_clear()


def other_process():
    return aliases.AliasRegistry()


def test_built_in():
    for alias in ("matrix", "tigerdata", "nokura"):
        assert alias in paths.ALLOWED_PROTOCOLS
        extracted = paths.extract(f"{alias}://bucket/key")
        assert (extracted.protocol, extracted.alias, extracted.bucket, extracted.path) == ("s3", alias, "bucket", "key")
        assert extracted.host.startswith("https://")
        assert paths.asprotocolpath(extracted) == f"{alias}://bucket/key"
    assert paths.extract("precomputed://matrix://b/k").host == "https://s3-hpcrc.rc.princeton.edu"
    assert paths.get_protocol("precomputed://tigerdata://b") == "tigerdata"


def test_add_alias_in_this_process_only(settings):
    paths.add_alias("mine", "s3://https://example.com")
    assert paths.extract("mine://b/k") == paths.ExtractedPath(
        "precomputed", "s3", "b", "k", "https://example.com", "mine")
    assert "mine" in paths.ALLOWED_PROTOCOLS
    assert not (settings / "aliases.json").exists()
    assert other_process().target("mine") is None


def test_alias_may_hold_a_bucket_and_a_prefix():
    paths.add_alias("lab", "gs://bucket/data")
    extracted = paths.extract("lab://x/y|z")
    assert extracted[:5] == ("precomputed", "gs", "bucket", "data/x/y|z", None)
    assert paths.ascloudpath(extracted) == "precomputed://lab://x/y|z"
    assert paths.extract(paths.asprotocolpath(extracted)) == extracted
    assert paths.asprotocolpath(paths.extract("lab://")) == "lab://"
    assert paths.asbucketpath(extracted) == "precomputed://gs://bucket"


def test_alias_changed_meanwhile_is_not_followed_elsewhere():
    paths.add_alias("mine", "s3://https://old.example.com")
    old = paths.extract("mine://b/k")
    paths.add_alias("mine", "s3://https://new.example.com")
    assert paths.extract("mine://b/k").host == "https://new.example.com"
    assert paths.asprotocolpath(old) == "s3://https://old.example.com/b/k"


def test_alias_without_host_is_kept():
    assert paths.asprotocolpath(paths.ExtractedPath(None, "s3", "b", "k", None, "matrix")) == "matrix://b/k"
    assert paths.asprotocolpath(paths.extract("matrix://b/k")._replace(alias=None, host=None)) == "s3://b/k"


def test_persistent_alias(settings):
    paths.add_persistent_alias("kept", "s3://http://127.0.0.1:9000")
    assert json.loads((settings / "aliases.json").read_text()) == {"kept": {"host": "s3://http://127.0.0.1:9000/"}}
    assert other_process().target("kept") == "s3://http://127.0.0.1:9000/"
    assert paths.extract("kept://b/k").host == "http://127.0.0.1:9000"
    assert paths.remove_persistent_alias("kept") is True
    assert paths.remove_persistent_alias("kept") is False
    assert json.loads((settings / "aliases.json").read_text()) == {}
    with pytest.raises(UnsupportedProtocolError):
        paths.extract("kept://b/k")
    assert "kept" not in paths.ALLOWED_PROTOCOLS


def test_persistent_alias_over_a_built_in_one_and_back():
    paths.add_persistent_alias("matrix", "s3://https://mirror.example.com/")
    assert paths.extract("matrix://b/k").host == "https://mirror.example.com"
    paths.remove_persistent_alias("matrix")
    assert paths.extract("matrix://b/k").host == "https://s3-hpcrc.rc.princeton.edu"


def test_persistent_alias_keeps_what_another_process_added():
    paths.add_persistent_alias("one", "gs://a/")
    other_process().save("two", "gs://b/")
    paths.add_persistent_alias("three", "gs://c/")
    assert all(other_process().target(name) for name in ("one", "two", "three"))


def test_file_is_read_lazily_and_again_when_changed(settings):
    file = settings / "aliases.json"
    file.write_text('{"one": {"host": "gs://a/"}}')
    assert paths.extract("gs://b/k").bucket == "b"
    assert "one" not in paths.ALLOWED_PROTOCOLS
    assert paths.extract("one://k").bucket == "a"
    assert "one" in paths.ALLOWED_PROTOCOLS
    file.write_text('{"one": {"host": "gs://a/"}, "two": {"host": "gs://b/"}}')
    assert paths.extract("two://k").bucket == "b"
    file.unlink()
    paths.update_aliases_from_file()
    assert "one" not in paths.ALLOWED_PROTOCOLS


def test_unknown_protocol_names_the_aliases():
    paths.add_alias("mine", "gs://b/")
    with pytest.raises(UnsupportedProtocolError, match=r"lucifer://.*gs.*middleauth\+https.*mine"):
        paths.extract("lucifer://b/k")


@pytest.mark.parametrize("content", [
    "not json", "[]", '{"x": "gs://b/"}', '{"x": {}}', '{"x": {"host": 1}}', '{"x": {"host": "nowhere"}}',
    '{"s3": {"host": "gs://b/"}}'])
def test_broken_file_is_named(settings, content):
    (settings / "aliases.json").write_text(content)
    with pytest.raises(ConfigurationError, match=r"aliases\.json"):
        paths.extract("mine://b/k")
    assert paths.extract("gs://b/k").bucket == "b"


@pytest.mark.parametrize(("alias", "host"), [
    ("s3", "gs://b/"), ("mem", "gs://b/"), ("zarr", "gs://b/"), ("", "gs://b/"), ("a", "gs://b/"), ("a b", "gs://b/"),
    ("../x", "gs://b/"), ("x/y", "gs://b/"), ("fine", ""), ("fine", "gs://"), ("fine", "example.com"),
    ("fine", "matrix://b/")])
def test_refused(alias, host, settings):
    for add in (paths.add_alias, paths.add_persistent_alias):
        with pytest.raises(InvalidInputError):
            add(alias, host)
    assert not (settings / "aliases.json").exists()


def test_threads_lose_no_alias():
    names = [f"name{i}" for i in range(20)]
    threads = [threading.Thread(target=paths.add_persistent_alias, args=(name, "gs://b/")) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(other_process().target(name) for name in names)
