"""Bad input: each has its own clear error, before anything is sent or any file is touched."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cloudfiles import AsyncCloudFiles, Bucket, CloudFile, CloudFiles, dl, sync
from cloudfiles.exceptions import (
    CloudFilesError,
    ConfigurationError,
    DuplicatePathError,
    InvalidInputError,
    InvalidPathError,
    MissingCredentialsError,
    UnsupportedCompressionType,
    UnsupportedProtocolError,
)
from cloudfiles.testing import S3Server


@pytest.mark.parametrize("call", [
    lambda: CloudFiles(None), lambda: CloudFiles(5), lambda: CloudFiles(b"mem://x"),  # type: ignore[arg-type]
    lambda: CloudFile(None), lambda: Bucket(None), lambda: AsyncCloudFiles(None),  # type: ignore[arg-type]
    lambda: dl(None), lambda: sync(None, "mem://x"), lambda: sync("mem://x", None),  # type: ignore[arg-type]
])
def test_what_is_no_cloudpath(call: Callable[[], Any]) -> None:
    with pytest.raises(InvalidInputError):
        call()


@pytest.mark.parametrize("call", [
    lambda cf: list(cf.list(prefix=None)), lambda cf: list(cf.list(5)), lambda cf: cf.isdir(None),
    lambda cf: cf.subtree_size(None), lambda cf: cf.subtree_size([None]), lambda cf: cf.discard_partial(None),
    lambda cf: list(cf.list(resume_token=5)),
])
def test_what_is_no_prefix(cf: CloudFiles, call: Callable[[CloudFiles], Any]) -> None:
    with pytest.raises(InvalidInputError):
        call(cf)


@pytest.mark.parametrize("verb", ["exists", "size", "head", "delete", "touch", "rm"])
def test_a_dict_that_describes_one_path(cf: CloudFiles, verb: str) -> None:
    """Its keys are no paths: `delete` would remove objects named 'path' and 'start'."""
    with pytest.raises(InvalidInputError, match="'path'"):
        getattr(cf, verb)({"path": "a", "start": 0, "end": 5})


@pytest.mark.parametrize("option", ["connect_timeout", "read_timeout", "min_throughput"])
@pytest.mark.parametrize("value", [None, "5", -1, float("nan")])
def test_what_is_no_number(option: str, value: Any) -> None:
    with pytest.raises(InvalidInputError, match=option):
        CloudFiles("mem://x", **{option: value})


@pytest.fixture(params=["s3", "http", "file", "mem"])
def cf(request: pytest.FixtureRequest, fault_server: S3Server, tmp_path: Path) -> Iterator[CloudFiles]:
    """A store of each protocol; after the test, nothing was sent to it and no file was made."""
    fault_server.configure(read_only=False)
    root = tmp_path / "root"
    yield {
        "s3": lambda: CloudFiles("s3://bucket/x/", endpoint=fault_server.url, secrets=fault_server.secrets),
        "http": lambda: CloudFiles(f"{fault_server.url}/x/"),
        "file": lambda: CloudFiles(f"file://{root}/"),
        "mem": lambda: CloudFiles("mem://bad-input/"),
    }[request.param]()
    assert fault_server.requests() == []
    assert not root.exists()
    assert list(CloudFiles("mem://bad-input/").list()) == []


# ---- cloudpaths


@pytest.mark.parametrize("cloudpath", ["ftp://host/path", "s4://bucket/key", "nonsense://x"])
@pytest.mark.parametrize("door", [CloudFiles, CloudFile, dl])
def test_an_unknown_protocol_names_the_supported(cloudpath: str, door: Callable[[str], Any]) -> None:
    with pytest.raises(UnsupportedProtocolError) as caught:
        door(cloudpath)
    assert isinstance(caught.value, ValueError)
    for name in (cloudpath.split(":")[0], "s3", "file", "mem", "https"):
        assert name in str(caught.value)


@pytest.mark.parametrize("cloudpath", ["s3://", "s3:///key", "mem://", "s3://https://", "https://", "http:///path", ""])
def test_a_malformed_cloudpath_shows_a_good_one(cloudpath: str) -> None:
    with pytest.raises(InvalidPathError) as caught:
        CloudFiles(cloudpath)
    assert isinstance(caught.value, ValueError)
    assert "://" in str(caught.value) or "empty" in str(caught.value)


@pytest.mark.parametrize("cloudpath", [5, None, b"s3://bucket/x", ["s3://bucket/x"]], ids=repr)
def test_a_cloudpath_of_another_type(cloudpath: Any) -> None:
    with pytest.raises((InvalidInputError, TypeError), match=type(cloudpath).__name__):
        CloudFiles(cloudpath)


def test_a_cloudfile_without_a_name() -> None:
    with pytest.raises(InvalidInputError, match="expected the path of an object"):
        CloudFile("mem://bucket/dir/")


# ---- options


@pytest.mark.parametrize(("name", "value"), [
    ("num_threads", -1), ("num_threads", 2.5), ("num_threads", "4"), ("num_threads", True),
    ("parallel", -2), ("parallel", 1.5), ("parallel", "all"), ("parallel", 10**30),
    ("composite_upload_threshold", 0), ("composite_upload_threshold", -5), ("composite_upload_threshold", [5]),
    ("composite_upload_threshold", float("inf")), ("endpoint", 5), ("endpoint", b"http://localhost"),
    ("ca_bundle", 5), ("client_cert", b"cert"), ("client_key", True), ("lock_dir", 5),
    ("request_payer", "me"), ("connect_timeout", 0), ("read_timeout", -1), ("progress", 5), ("progress", b"1"),
    *((switch, value) for switch in ("green", "locking", "use_https", "no_sign_request", "hedge", "encoding_suffixes",
                                     "follow_external_symlinks") for value in ("no", b"1", 2, 0.0, [])),
])
def test_an_option_that_cannot_work(name: str, value: Any) -> None:
    with pytest.raises(InvalidInputError, match=name) as caught:
        CloudFiles("mem://bucket/", **{name: value})
    assert repr(value) in str(caught.value) or str(value) in str(caught.value)
    assert f"{name}: expected " in str(caught.value)


@pytest.mark.parametrize("switch", ["green", "locking", "use_https", "no_sign_request", "hedge", "progress"])
def test_switches_of_other_types(switch: str) -> None:
    for value in (None, 0, 1, *(() if switch == "progress" else (np.bool_(True), np.bool_(False)))):
        cf = CloudFiles("mem://bucket/", **{switch: value})  # type: ignore[arg-type]
        if switch in ("green", "locking"):
            assert getattr(cf, switch) is (None if value is None else bool(value))


@pytest.mark.parametrize("option", ["endpoint", "lock_dir", "ca_bundle"])
def test_an_option_that_cannot_be_encoded(option: str) -> None:
    with pytest.raises(InvalidInputError, match=option):
        CloudFiles("mem://bucket/", **{option: "\ud800"})  # type: ignore[arg-type]


def test_an_unknown_option() -> None:
    with pytest.raises(TypeError, match="num_thread"):
        CloudFiles("mem://bucket/", num_thread=5)  # type: ignore[call-arg]


def test_an_unwritable_lock_directory(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(ConfigurationError, match="file/locks"):
        CloudFiles(f"file://{tmp_path}/root/", locking=True, lock_dir=str(tmp_path / "file" / "locks"))
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_missing_credentials_say_where_they_were_looked_for(fault_server: S3Server, home: Path) -> None:
    for ask in (lambda cf: cf.get("k"), lambda cf: cf.get(["a", "b"]), lambda cf: cf.put("k", b""),
                lambda cf: list(cf.list()), lambda cf: cf.exists(["k"])):
        with pytest.raises(MissingCredentialsError) as caught:
            ask(CloudFiles("s3://bucket/x/", endpoint=fault_server.url))
        for place in ("aws-secret.json", "environment", str(home)):
            assert place in str(caught.value)
    assert fault_server.requests() == []


@pytest.mark.parametrize("secrets", ["{not json", "/nowhere/at/all.json", {"AWS_ACCESS_KEY_ID": "only half"}, 5],
                         ids=repr)
def test_secrets_that_cannot_be_used(fault_server: S3Server, secrets: Any) -> None:
    with pytest.raises(CloudFilesError) as caught:
        CloudFiles("s3://bucket/x/", endpoint=fault_server.url, secrets=secrets).get("k")
    assert "only half" not in str(caught.value)
    assert fault_server.requests() == []


def test_an_extra_that_is_not_installed_names_the_command(fault_server: S3Server, monkeypatch: pytest.MonkeyPatch,
                                                          home: Path) -> None:
    """Where nothing but botocore's chain is left to find credentials, and botocore is not there."""
    (home / ".aws").mkdir()
    (home / ".aws" / "config").write_text("[default]\ncredential_process = /bin/false\n")
    for name in ("botocore", "botocore.session", "botocore.credentials"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(CloudFilesError, match="pip install"):
        CloudFiles("s3://bucket/x/", endpoint=fault_server.url).get("k")
    assert fault_server.requests() == []


# ---- writes


@pytest.mark.parametrize("content", [5, None, ["a"], {"a": 1}, {1, 2}, object()], ids=lambda c: type(c).__name__)
def test_content_that_is_not_bytes(cf: CloudFiles, content: Any) -> None:
    for call in (lambda: cf.put("key", content), lambda: cf.puts([("other", b""), ("key", content)]),
                 lambda: cf.puts([("other", b""), {"path": "key", "content": content, "compress": "gzip"}])):
        with pytest.raises(InvalidInputError, match="key") as caught:
            call()
        assert type(content).__name__ in str(caught.value)
        assert "bytes" in str(caught.value)


def test_a_text_that_cannot_be_encoded(cf: CloudFiles) -> None:
    with pytest.raises(InvalidInputError, match="key: the content cannot be encoded in UTF-8"):
        cf.put("key", "\ud800")


def test_a_file_opened_as_text(cf: CloudFiles) -> None:
    with pytest.raises(InvalidInputError, match="'rb'"):
        cf.put("key", io.StringIO("text"))
    with open(__file__, encoding="utf-8") as file, pytest.raises(InvalidInputError, match="'rb'"):
        cf.put("key", file)


def test_the_same_path_twice(cf: CloudFiles) -> None:
    with pytest.raises(DuplicatePathError, match="key") as caught:
        cf.puts([("key", b"1"), ("other", b""), {"path": "key", "content": b"2"}])
    assert isinstance(caught.value, ValueError)
    with pytest.raises(DuplicatePathError, match="key"):
        cf.put_jsons([("key", 1), ("key", 2)])


@pytest.mark.parametrize("item", ["key", 5, ("key",), ("key", b"", 1), {"path": "key"}, {"content": b""},
                                  {"path": "key", "content": b"", "compresss": "gzip"}, (5, b""), (None, b"")],
                         ids=repr)
def test_an_item_that_is_no_file_to_put(cf: CloudFiles, item: Any) -> None:
    with pytest.raises(InvalidInputError):
        cf.puts([("fine", b""), item])


def test_an_unknown_field_is_named_with_the_known_ones(cf: CloudFiles) -> None:
    with pytest.raises(InvalidInputError, match="compresss") as caught:
        cf.puts({"path": "key", "content": b"", "compresss": "gzip"})
    assert "compression_level" in str(caught.value)


def test_puts_of_no_iterable(cf: CloudFiles) -> None:
    for files in (b"bytes", "text", 5, None):
        with pytest.raises(InvalidInputError):
            cf.puts(files)


@pytest.mark.parametrize("encoding", [["gzip"], {"gzip": 1}, {"gzip"}, 5, b"gzip"], ids=repr)
def test_a_compression_of_another_type(cf: CloudFiles, encoding: Any) -> None:
    for call in (lambda: cf.put("key", b"", compress=encoding), lambda: cf.concat(["a"], "key", encoding=encoding),
                 lambda: cf.transfer_from("mem://bad-input/", reencode=encoding)):
        with pytest.raises(UnsupportedCompressionType, match="unknown compression"):
            call()


def test_an_unknown_compression(cf: CloudFiles) -> None:
    for compress in ("zip", "snappy", 7, "gzip;br"):
        with pytest.raises(UnsupportedCompressionType, match="gzip") as caught:
            cf.put("key", b"", compress=compress)  # type: ignore[arg-type]
        assert repr(compress) in str(caught.value)
        with pytest.raises(UnsupportedCompressionType):
            cf.puts([("key", b""), {"path": "other", "content": b"", "compress": compress}])


@pytest.mark.parametrize(("compress", "level"), [("gzip", 10), ("gzip", -1), ("br", 12), ("zstd", 23), ("xz", 10),
                                                 ("bz2", 0), ("gzip", 1.5), ("gzip", "6"), (True, 99)])
def test_a_level_out_of_range(cf: CloudFiles, compress: Any, level: Any) -> None:
    with pytest.raises(InvalidInputError, match="level") as caught:
        cf.put("key", b"", compress=compress, compression_level=level)
    assert repr(level) in str(caught.value)
    with pytest.raises(InvalidInputError, match="level"):
        cf.puts([("key", b""), ("other", b"")], compress=compress, compression_level=level)


def test_conditions_that_exclude_each_other(cf: CloudFiles) -> None:
    with pytest.raises(InvalidInputError, match="mutually exclusive"):
        cf.put("key", b"", if_absent=True, if_match='"etag"')


def test_the_result_of_a_failed_read_is_not_put(cf: CloudFiles) -> None:
    with pytest.raises(InvalidInputError, match="failed"):
        cf.puts([{"path": "key", "content": None, "error": ValueError()}])


# ---- reads


@pytest.mark.parametrize(("start", "end"), [(10, 5), (0, -5), (-5, 3), (-5, -1), (1.5, 3), ("0", 3), (None, -1)])
def test_a_range_that_is_invalid(cf: CloudFiles, start: Any, end: Any) -> None:
    item = {"path": "key", "start": start, "end": end}
    for call in (lambda: cf.get(item), lambda: cf.get([item]), lambda: cf.get(["key", item]),
                 lambda: cf.get(iter([item])), lambda: list(cf.stream([item]))):
        with pytest.raises(InvalidInputError):
            call()


@pytest.mark.parametrize("paths", [5, None, b"key", 1.5, object()], ids=lambda p: type(p).__name__)
def test_paths_of_another_type(cf: CloudFiles, paths: Any) -> None:
    for verb in (cf.get, cf.exists, cf.head, cf.size, cf.delete, cf.touch, cf.stream):
        with pytest.raises(InvalidInputError):
            verb(paths)
        with pytest.raises(InvalidInputError):
            list(verb([paths]) or ())
    for many in (cf.exists, cf.size, cf.delete):
        with pytest.raises(InvalidInputError):
            many([paths] * 30)


def test_items_without_a_path(cf: CloudFiles) -> None:
    for item in ({}, {"start": 1}, {"path": 5}):
        with pytest.raises(InvalidInputError, match="path"):
            cf.get(item)
        with pytest.raises(InvalidInputError, match="path"):
            cf.get([item])


def test_bounds_of_streams(cf: CloudFiles) -> None:
    for options in ({"max_items": -1}, {"max_bytes": 0}):
        with pytest.raises(InvalidInputError):
            cf.stream([], **options)


def test_a_negative_bound_of_decoded_sizes(cf: CloudFiles) -> None:
    for verb in (cf.get, cf.stream):
        with pytest.raises(InvalidInputError, match="max_decoded_size"):
            verb(["key"], max_decoded_size=-1)


@pytest.mark.parametrize("progress", [5, b"1", {"a": 1}, {1}, [1]], ids=repr)
def test_progress_of_another_type(cf: CloudFiles, progress: Any) -> None:
    for call in (lambda: cf.get(["key"], progress=progress), lambda: cf.puts([("key", b"")], progress=progress),
                 lambda: cf.transfer_from("mem://bad-input/", progress=progress)):
        with pytest.raises(InvalidInputError, match="progress: expected "):
            call()


# ---- transfers


@pytest.mark.parametrize("rate", [0, -1, "5", b"5", [5], True, float("nan")], ids=repr)
def test_a_rate_of_another_type(cf: CloudFiles, rate: Any) -> None:
    other = CloudFiles("mem://another/")
    for call in (lambda: other.transfer_to(cf, ["a"], max_rate=rate), lambda: cf.transfer_from(other, max_rate=rate),
                 lambda: other.moves(cf, [("a", "b")], max_rate=rate), lambda: other.sync_to(cf, max_rate=rate)):
        with pytest.raises(InvalidInputError, match="max_rate: expected "):
            call()


@pytest.mark.parametrize("count", [-1, "5", 1.5, [5], True], ids=repr)
def test_a_number_of_deletions_of_another_type(cf: CloudFiles, count: Any) -> None:
    with pytest.raises(InvalidInputError, match="max_delete: expected "):
        CloudFiles("mem://another/").sync_to(cf, max_delete=count)


def test_a_callback_that_is_no_function(cf: CloudFiles) -> None:
    """It would be called after the first object was written."""
    other: Any = CloudFiles("mem://another/")
    for call in (lambda: other.transfer_to(cf, ["a"], on_outcome=5), lambda: other.sync_to(cf, on_outcome=5),
                 lambda: other.moves(cf, [("a", "b")], on_outcome=5), lambda: cf.transfer_from(other, on_outcome=5)):
        with pytest.raises(InvalidInputError, match="on_outcome: expected a function"):
            call()


@pytest.mark.parametrize("count", [-1, 1.5, "2", b"2", [2], float("nan"), 10**6, 10**30], ids=repr)
def test_a_number_of_processes_that_cannot_work(cf: CloudFiles, count: Any) -> None:
    """Also of another type."""
    other = CloudFiles("mem://another/")
    for call in (lambda: cf.get(["a"] * 100, parallel=count), lambda: cf.exists(["a"] * 100, parallel=count),
                 lambda: cf.transfer_to(other, parallel=count), lambda: cf.transfer_from(other, parallel=count),
                 lambda: cf.sync_to(other, parallel=count)):
        with pytest.raises(InvalidInputError, match="parallel: expected "):
            call()


def test_a_number_of_processes_of_numpy(tmp_path: Path) -> None:
    cf = CloudFiles(f"file://{tmp_path}/from/", parallel=np.int64(1))
    cf.put("a", b"1")
    assert cf.transfer_to(f"file://{tmp_path}/to/", parallel=np.int64(1)).copied == 1


@pytest.mark.parametrize("expires", [None, "5", b"5", [5], True], ids=repr)
def test_presigning_for_a_time_of_another_type(fault_server: S3Server, expires: Any) -> None:
    cf = CloudFiles("s3://bucket/x/", endpoint=fault_server.url, secrets=fault_server.secrets)
    with pytest.raises(InvalidInputError, match="expires: expected "):
        cf.presign("key", expires=expires)
    assert "X-Amz-Expires=60&" in cf.presign("key", expires=np.int64(60))
    for method in (None, 5, b"GET"):
        with pytest.raises(InvalidInputError, match="method: expected "):
            cf.presign("key", method=method)  # type: ignore[arg-type]


@pytest.mark.parametrize("ranges", [5, 1.5, True, object], ids=repr)
def test_ranges_of_another_type(ranges: Any) -> None:
    with pytest.raises(InvalidInputError, match="expected a byte range"):
        CloudFile("mem://bad-input/a").get(ranges)


def test_presigning_for_no_time_at_all(cf: CloudFiles) -> None:
    with pytest.raises(CloudFilesError):
        cf.presign("key", expires=-1)


@pytest.mark.parametrize("cloudpath", [
    "s3://bucket/\ud800", "mem://bucket/\ud800", "file:///tmp/\ud800", "/tmp/\ud800"], ids=ascii)
def test_a_cloudpath_that_cannot_be_encoded(cloudpath: str) -> None:
    source = CloudFiles("mem://another/")
    for call in (lambda: CloudFiles(cloudpath), lambda: CloudFile(f"{cloudpath}/x"), lambda: dl(f"{cloudpath}/x"),
                 lambda: source.transfer_to(cloudpath), lambda: sync(source, cloudpath)):
        with pytest.raises(InvalidPathError, match="cannot be encoded"):
            call()


def test_a_key_that_cannot_be_a_file_name(tmp_path: Path) -> None:
    cf, other = CloudFiles(f"file://{tmp_path}/root/"), CloudFiles("mem://another/")
    key = "\ud800x"
    for call in (lambda: cf.get(key), lambda: cf.put(key, b""), lambda: cf.mkdir(key), lambda: cf.rmdir(key),
                 lambda: cf.rename(key, "z"), lambda: cf.move(key, "mem://bad-input/x"),
                 lambda: cf.moves(other, [(key, "x")]), lambda: cf.transfer_to(other, [key])):
        with pytest.raises(InvalidPathError, match="surrogates not allowed"):
            call()
    assert not (tmp_path / "root").exists()
    bytes_of_the_name = os.fsdecode(b"\xff-latin")  # a name that is not UTF-8
    cf.put(bytes_of_the_name, b"1")
    assert (cf.get(bytes_of_the_name), os.listdir(os.fsencode(tmp_path / "root"))) == (b"1", [b"\xff-latin"])


@pytest.mark.parametrize("key", ["../outside", "a/../../outside", "a\0b", "/absolute", ".."], ids=repr)
def test_a_key_that_would_leave_the_root(tmp_path: Path, key: str) -> None:
    (tmp_path / "outside").write_bytes(b"untouched")
    cf = CloudFiles(f"file://{tmp_path}/root/")
    for call in (lambda: cf.get(key), lambda: cf.put(key, b"x"), lambda: cf.delete(key), lambda: cf.exists(key),
                 lambda: cf.touch(key), lambda: cf.get([key, key]), lambda: cf.delete(["fine", key]),
                 lambda: cf.exists(["fine", key] * 20)):
        with pytest.raises(InvalidPathError):
            call()
    assert (tmp_path / "outside").read_bytes() == b"untouched"
    assert [path.name for path in tmp_path.iterdir()] == ["outside"]
