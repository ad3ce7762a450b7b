import copy
import os
import pathlib
import pickle
import subprocess
import sys

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cloudfiles import paths
from cloudfiles.exceptions import InvalidPathError, UnsupportedProtocolError
from cloudfiles.paths import (
    ExtractedPath,
    MalformedCloudpathError,
    absolute,
    asbucketpath,
    ascloudpath,
    asfilepath,
    asprotocolpath,
    basename,
    dirname,
    extract,
    find_common_buckets,
    get_protocol,
    join,
    normalize,
    to_https_protocol,
)

P = "precomputed"
NASTY = ["a+b", "100%", "%2F", "a//b", "/a", "//", "../x", "a/../b", ".", "a?b=c", "a#b", "a b", " ", "ü/日本", "a/",
         "a|b:", "gs://x", "http://x/y", "x://", "a\nb", "a\\b", "|", "a:1", "\udcff", "~", "zarr2:", "a|zarr9:\n"]

posix_only = pytest.mark.skipif(sys.platform == "win32", reason="POSIX paths")


@pytest.fixture(autouse=True)
def no_settings(tmp_path, monkeypatch):
    monkeypatch.setenv("CLOUD_FILES_DIR", str(tmp_path / "settings"))


@pytest.mark.parametrize(("cloudpath", "expected"), [
    ("gs://bucket/dataset/layer", (P, "gs", "bucket", "dataset/layer", None)),
    ("gs://bucket/dataset/layer/", (P, "gs", "bucket", "dataset/layer/", None)),
    ("gs://bucket", (P, "gs", "bucket", "", None)),
    ("gs://bucket/", (P, "gs", "bucket", "", None)),
    ("precomputed://gs://b/x", (P, "gs", "b", "x", None)),
    ("zarr://s3://b/x", ("zarr", "s3", "b", "x", None)),
    ("zarr2://s3://b/x", ("zarr2", "s3", "b", "x", None)),
    ("zarr3://mem://b/x", ("zarr3", "mem", "b", "x", None)),
    ("n5://gs://b/x", ("n5", "gs", "b", "x", None)),
    ("boss://s3://b/x", ("boss", "s3", "b", "x", None)),
    ("gs://b/x|zarr2:", ("zarr2", "gs", "b", "x", None)),
    ("gs://b/x/|neuroglancer-precomputed:", (P, "gs", "b", "x/", None)),
    ("precomputed://gs://b/x|neuroglancer-precomputed:", (P, "gs", "b", "x", None)),
    ("zarr2://gs://b/x|zarr2:", ("zarr2", "gs", "b", "x", None)),
    ("gs://b/x|unknown:", (P, "gs", "b", "x|unknown:", None)),
    ("gs://b/x|zarr2:|n5:", ("n5", "gs", "b", "x|zarr2:", None)),
    ("graphene://http://localhost:8080/segmentation/1.0/vol",
     ("graphene", "http", None, "segmentation/1.0/vol", "http://localhost:8080")),
    ("https://h.org", (P, "https", None, "", "https://h.org")),
    ("https://h.org/", (P, "https", None, "", "https://h.org")),
    ("https://h.org//a", (P, "https", None, "/a", "https://h.org")),
    ("https://h.org/a%20b?q=x/y&z=%2F#f", (P, "https", None, "a%20b?q=x/y&z=%2F#f", "https://h.org")),
    ("https://u:p@h.org:8443/x", (P, "https", None, "x", "https://u:p@h.org:8443")),
    ("http://[::1]:80/x", (P, "http", None, "x", "http://[::1]:80")),
    ("middleauth+https://h.org/x/y", (P, "middleauth+https", None, "x/y", "https://h.org")),
    ("graphene://middleauth+https://h.org/x", ("graphene", "middleauth+https", None, "x", "https://h.org")),
    ("webhdfs://nn:9870/user/x", (P, "webhdfs", None, "user/x", "http://nn:9870")),
    ("webhdfs://me@nn1:9870,nn2:9870/", (P, "webhdfs", None, "", "http://me@nn1:9870,nn2:9870")),
    ("swebhdfs://nn/a%20b?c#d", (P, "swebhdfs", None, "a%20b?c#d", "https://nn")),
    ("ngauth+https://h.org/x", (P, "ngauth+https", None, "x", "https://h.org")),
    ("s3://https://h.org/hello/world", (P, "s3", "hello", "world", "https://h.org")),
    ("precomputed://s3://https://h.org/hello/world", (P, "s3", "hello", "world", "https://h.org")),
    ("s3://http://127.0.0.1:9000/bucket", (P, "s3", "bucket", "", "http://127.0.0.1:9000")),
    ("gs://http://localhost:4443/b/k", (P, "gs", "b", "k", "http://localhost:4443")),
    ("mem://bucket/to/heaven", (P, "mem", "bucket", "to/heaven", None)),
    ("mem://b:9/x", (P, "mem", "b:9", "x", None)),
])
def test_extract(cloudpath, expected):
    assert extract(cloudpath) == (*expected, None)


@pytest.mark.parametrize("key", NASTY)
@pytest.mark.parametrize("root", ["s3://b/", "gs://b/", "mem://b/", "s3://https://h.org/b/", "https://h.org/"])
def test_keys_are_opaque(root, key):
    extracted = extract(root + key)
    assert extracted.path == key
    assert asprotocolpath(extracted) == root + key
    assert normalize(root + key) == root + key
    assert join(root, key) == root + key


@given(st.sampled_from(["s3://b/", "zarr://gs://bu.ck-et_/", "mem://b/", "s3://http://h:9/b/", "https://h.org/",
                        "middleauth+https://h/", "n5://matrix://b/"]), st.text())
@example("s3://b/", "x|zarr2")
def test_what_is_taken_apart_can_be_put_together(root, key):
    extracted = extract(root + key + "x")
    assert extracted.path == key + "x"
    assert extract(ascloudpath(extracted)) == extracted
    assert asprotocolpath(extract(asprotocolpath(extracted))) == asprotocolpath(extracted)


@given(st.text())
def test_any_text_is_taken_apart_or_refused(text):
    try:
        extracted = extract(text)
    except (InvalidPathError, UnsupportedProtocolError):
        return
    assert extract(ascloudpath(extracted)) == extracted


@posix_only
@pytest.mark.parametrize("key", [key for key in NASTY if key not in (".", " ", "~") and "/" not in key])
def test_file_names_are_opaque(key):
    assert extract(f"file:///dir/{key}") == (P, "file", None, f"/dir/{key}", None, None)


@posix_only
def test_local_paths_become_absolute(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", "/home/me")
    monkeypatch.chdir(tmp_path)
    assert extract("file:///tmp/removeme/layer/").path == "/tmp/removeme/layer"
    assert extract("file://~/x").path == "/home/me/x"
    assert extract("file://rel/x").path == f"{tmp_path}/rel/x"
    assert extract("file://../x").path == f"{tmp_path.parent}/x"
    (tmp_path / "sub").mkdir()
    monkeypatch.chdir(tmp_path / "sub")
    assert extract("file://rel/x").path == f"{tmp_path}/sub/rel/x"  # nothing of the old directory is remembered


@posix_only
def test_normalize(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", "/home/me")
    monkeypatch.chdir(tmp_path)
    assert normalize("x/y/") == f"file://{tmp_path}/x/y"
    assert normalize(".") == f"file://{tmp_path}"
    assert normalize("~/x") == "file:///home/me/x"
    assert normalize("/a b+%/c#?") == "file:///a b+%/c#?"
    assert absolute("file://rel") == f"file://{tmp_path}/rel"
    assert absolute("zarr://file://rel/x") == f"zarr://file://{tmp_path}/rel/x"
    assert absolute("x") == f"file://{tmp_path}/x"
    for protocol_given in ("file://rel", "zarr://file://rel/x", r"file://C:\wow\x", "file:///a//b/../c"):
        assert normalize(protocol_given) == protocol_given
    assert normalize("file:///a/") == "file:///a/"
    assert normalize("precomputed://x") == f"precomputed://file://{tmp_path}/x"
    assert normalize("x|zarr2:") == f"zarr2://file://{tmp_path}/x"
    assert normalize("gs://b/x/|zarr2:") == "zarr2://gs://b/x/"
    assert normalize("gs://b/x|neuroglancer-precomputed:") == "gs://b/x"
    assert normalize("graphene://https://h/x") == "graphene://https://h/x"
    assert normalize("matrix://b/k") == "matrix://b/k"
    assert normalize("dir/gs://x") == f"file://{tmp_path}/dir/gs:/x"


@posix_only
def test_pathlib(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert extract(pathlib.Path("/a/b")) == (P, "file", None, "/a/b", None, None)
    assert normalize(pathlib.Path("x")) == f"file://{tmp_path}/x"
    assert join(pathlib.Path("/a"), "b") == "/a/b"
    with pytest.raises(InvalidPathError, match="pass cloudpaths as str"):
        extract(pathlib.Path("gs://b/k"))
    with pytest.raises(InvalidPathError, match="as str"):
        normalize(pathlib.Path("zarr://gs://b/k"))


@pytest.mark.parametrize(("cloudpath", "path"), [
    (r"file://C:\wow\this is\path", r"C:\wow\this is\path"),
    ("file://C:\\wow\\", "C:\\wow\\"),
    ("file:///C:/wow/x", "C:/wow/x"),
    (r"file://\\server\share\x", r"\\server\share\x"),
])
def test_windows_paths(cloudpath, path):
    assert extract(cloudpath, windows=True) == (P, "file", None, path, None, None)
    assert extract(normalize(cloudpath, windows=True), windows=True).path == path


def test_windows_paths_without_protocol():
    assert normalize(r"C:\x\y", windows=True) == r"file://C:\x\y"
    assert normalize(r"\\server\share\x", windows=True) == r"file://\\server\share\x"
    assert normalize("C://x", windows=True) == "file://C://x"
    assert extract("https://h/x", windows=True).path == "x"


@posix_only
def test_a_windows_path_is_a_file_name_elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert normalize(r"C:\x") == rf"file://{tmp_path}/C:\x"


@pytest.mark.parametrize("cloudpath", ["s4://b/k", "lucifer://bucket/dataset/", "zarr://ou3://b/k", "S3://b/k"])
def test_unknown_protocol(cloudpath):
    for function in (extract, normalize):
        with pytest.raises(UnsupportedProtocolError,
                           match=r"unsupported protocol .*; supported: gs, file, s3, .*mem") as caught:
            function(cloudpath)
        assert not isinstance(caught.value, InvalidPathError)
    assert get_protocol(cloudpath) is None


@pytest.mark.parametrize("cloudpath", [
    "", "dataset/layer", "ou3bouqjsa fkj aojsf", "gs://", "gs://///", "s3:///key", "mem://", "s3://https://h.org",
    "s3://https://h.org/", "s3://https://", "https://", "http:///x", "https://http://x", "gs://gs://b/k",
    "s3://gs://b/k", "mem://s3://b", "file://gs://b/k", "file://zarr://x", "file://", "file://a\0b", "gs://../k", "gs://.",
    "gs://bu cket/k", "s3://b:k/x", "precomputed://zarr://gs://b/x", "zarr://gs://b/x|n5:", "precomputed://x",
    "https://ho st/x", "://b", None, b"gs://b/k", 5])
def test_malformed(cloudpath):
    with pytest.raises(InvalidPathError, match="gs://bucket/key") as caught:
        extract(cloudpath)
    # Programs catch UnsupportedProtocolError for whatever cannot be taken apart.
    assert isinstance(caught.value, UnsupportedProtocolError)
    assert isinstance(caught.value, ValueError)
    for clone in (pickle.loads(pickle.dumps(caught.value)), copy.copy(caught.value)):
        assert str(clone) == str(caught.value)
        assert type(clone) is type(caught.value)


@pytest.mark.parametrize(("cloudpath", "protocol"), [
    ("precomputed://file:///x", "file"), ("gs://b", "gs"), ("/x", None), ("x", None), ("", None),
    ("matrix://b", "matrix"), ("graphene://middleauth+https://h", "middleauth+https"), ("nope://x", None),
    ("C://x", None), ("zarr://x", None)])
def test_get_protocol(cloudpath, protocol):
    assert get_protocol(cloudpath) == protocol


@pytest.mark.parametrize(("extracted", "cloudpath"), [
    (ExtractedPath(P, "gs", "my_bucket", "of/heaven", None), "precomputed://gs://my_bucket/of/heaven"),
    (ExtractedPath(None, "gs", "my_bucket", "of/heaven", None), "gs://my_bucket/of/heaven"),
    (ExtractedPath(None, "file", "my_bucket", "of/heaven", None), "file://my_bucket/of/heaven"),
    (ExtractedPath(None, "mem", "my_bucket", "of/heaven", None), "mem://my_bucket/of/heaven"),
    (ExtractedPath(None, "https", "b", "x", "https://h.com"), "https://h.com/b/x"),
    (ExtractedPath("graphene", "https", "b", "x", "https://h.com"), "graphene://https://h.com/b/x"),
    (ExtractedPath(None, "swebhdfs", None, "x", "https://nn:9871"), "swebhdfs://nn:9871/x"),
    (ExtractedPath(None, "middleauth+https", None, "x", "https://h.com"), "middleauth+https://h.com/x"),
    (ExtractedPath(None, "s3", "b", "x", "https://h.com/"), "s3://https://h.com/b/x"),
    (ExtractedPath(P, "s3", "b", None, "https://h.com"), "precomputed://s3://https://h.com/b"),
])
def test_ascloudpath(extracted, cloudpath):
    assert ascloudpath(extracted) == cloudpath


def test_asbucketpath():
    assert asbucketpath("gs://b/x/y") == "precomputed://gs://b"
    assert asbucketpath(extract("zarr://s3://https://h/b/x")) == "zarr://s3://https://h/b"
    assert asbucketpath("matrix://b/x") == "precomputed://matrix://b"
    assert asbucketpath("https://h/x/y") == "precomputed://https://h"
    assert extract(asbucketpath("file:///a/b")).path == os.path.abspath(os.sep)


@posix_only
def test_asfilepath():
    assert asfilepath("zarr://file:///a/b") == "/a/b"
    assert asfilepath(ExtractedPath(None, "file", "/a", "b")) == "/a/b"
    with pytest.raises(InvalidPathError, match="gs://b/k"):
        asfilepath("gs://b/k")


@pytest.mark.parametrize(("cloudpath", "url"), [
    ("gs://my_bucket/to/heaven", "https://storage.googleapis.com/my_bucket/to/heaven"),
    ("s3://my_bucket/to/heaven", "https://s3.amazonaws.com/my_bucket/to/heaven"),
    ("matrix://my_bucket/to/heaven", "https://s3-hpcrc.rc.princeton.edu/my_bucket/to/heaven"),
    ("s3://https://h.org/b/k", "https://h.org/b/k"),
    ("precomputed://gs://b/k", "precomputed://https://storage.googleapis.com/b/k"),
    ("gs://b/a b+c%d?e#f/", "https://storage.googleapis.com/b/a%20b%2Bc%25d%3Fe%23f/"),
    ("file://my_bucket/to/heaven", "file://my_bucket/to/heaven"),
    ("mem://my_bucket/to/heaven", "mem://my_bucket/to/heaven"),
    ("https://h/x?y", "https://h/x?y"),
    ("local/path", "local/path"),
])
def test_to_https_protocol(cloudpath, url):
    assert to_https_protocol(cloudpath) == url


def test_to_https_protocol_of_an_extracted_path():
    assert to_https_protocol(ExtractedPath(P, "gs", "b", "k", None)) == extract("https://storage.googleapis.com/b/k")
    assert to_https_protocol(extract("matrix://b/k")) == extract("https://s3-hpcrc.rc.princeton.edu/b/k")
    assert to_https_protocol(extract("mem://b/k")) == extract("mem://b/k")


@pytest.mark.parametrize(("parts", "joined"), [
    (("gs://b",), "gs://b"), (("gs://b", "k"), "gs://b/k"), (("gs://b/", "k"), "gs://b/k"),
    (("gs://b", "a/", "k"), "gs://b/a/k"), (("gs://b", "a", ""), "gs://b/a/"), (("gs://b", "", "k"), "gs://b/k"),
    (("gs://b/a", "/k"), "gs://b/a//k"), (("zarr://gs://b", "../k?"), "zarr://gs://b/../k?"),
    (("https://h", "x"), "https://h/x")])
def test_join(parts, joined):
    assert join(*parts) == joined


def test_join_local():
    assert join("a", "b") == os.path.join("a", "b")
    assert join("file://a", "b") == os.path.join("file://a", "b")
    assert join("/a", "/b") == os.path.join("/a", "/b")


def test_dirname_and_basename():
    assert dirname("gs://b/x/y") == "gs://b/x"
    assert dirname("gs://b/x") == "gs://b"
    assert dirname("gs://b") == "gs://b"
    assert dirname("https://h/") == "https://h"
    assert basename("gs://b/x/y") == "y"
    assert basename("gs://b/x/") == ""
    assert (dirname("/a/b"), basename("/a/b")) == ("/a", "b")
    assert (dirname("x"), basename("x")) == ("", "x")
    assert (dirname("precomputed://file:///a/b"), basename("file:///a/b")) == ("precomputed://file:///a", "b")


@posix_only
def test_find_common_buckets():
    assert find_common_buckets([
        "gs://b/x", "matrix://b/y", {"path": "gs://b/z", "start": 0, "end": 5, "tags": {"n": 1}}, "file:///tmp/a/b",
        "file:///top", "https://h/q?r", {"path": "mem://m/k", "byte_range": (3, 7)},
        {"path": "mem://m/k", "byte_range": None},
    ]) == {
        "precomputed://gs://b": [{"path": "x", "start": None, "end": None},
                                 {"path": "z", "start": 0, "end": 5, "tags": {"n": 1}}],
        "precomputed://matrix://b": [{"path": "y", "start": None, "end": None}],
        "file:///tmp": [{"path": "a/b", "start": None, "end": None}],
        "file:///": [{"path": "top", "start": None, "end": None}],
        "precomputed://https://h": [{"path": "q?r", "start": None, "end": None}],
        "precomputed://mem://m": [{"path": "k", "start": 3, "end": 7}, {"path": "k", "start": None, "end": None}],
    }
    assert find_common_buckets("gs://b/x") == {"precomputed://gs://b": [{"path": "x", "start": None, "end": None}]}
    assert find_common_buckets(iter([])) == {}


def test_extracted_path_pickles():
    extracted = extract("zarr://matrix://b/k")
    assert pickle.loads(pickle.dumps(extracted)) == extracted


def test_importing_reads_nothing(tmp_path):
    (tmp_path / "aliases.json").write_text("broken")
    code = "import sys, cloudfiles.paths as p; p.extract('s3://b/k'); print('gevent' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], env={**os.environ, "CLOUD_FILES_DIR": str(tmp_path)},
                          capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_protocols_are_a_list():
    assert paths.ALLOWED_PROTOCOLS + ["x"]  # noqa: RUF005 -- programs add lists to it
    assert {"gs", "s3", "http", "https", "file", "mem", "middleauth+https", "ngauth+https"} <= set(
        paths.ALLOWED_PROTOCOLS)


@pytest.mark.parametrize(("typed", "meant"), [
    ("s3:/bucket/x", "s3://bucket/x"), ("s3//bucket", "s3://bucket"), ("s3:bucket/x", "s3://bucket/x"),
    ("http:/x.org", "http://x.org"), ("https//x.org/a", "https://x.org/a"), ("gs;//b", "gs://b"), ("S3:/b", "s3://b"),
    (" s3://b/x", "s3://b/x"), ("file:/data/x", "file:///data/x"), ("mem:\\\\b", "mem://b"),
    ("http:/user:secret@x.org/", "http://x.org/"),
])
def test_a_protocol_that_is_mistyped_is_no_local_path(typed: str, meant: str) -> None:
    with pytest.raises(MalformedCloudpathError, match="did you mean") as caught:
        normalize(typed)
    assert "secret" not in str(caught.value)
    assert meant.rpartition("/")[2] in str(caught.value)
    assert meant.partition("://")[0] + "://" in str(caught.value)


@pytest.mark.parametrize("path", ["./s3:/x", "s3/bucket", "a:b/c", "zarr//x", "s3", "https.txt", "x s3://y"])
def test_local_paths_that_only_look_like_it(path: str) -> None:
    assert normalize(path).startswith("file:///")
