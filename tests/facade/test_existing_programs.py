"""What published programs use of a module named `cloudfiles`: names, signatures, defaults, shapes, small print."""

from __future__ import annotations

import copy
import inspect
import io
import pickle
import subprocess
import sys
from importlib import import_module
from typing import Any

import pytest

import cloudfiles
from cloudfiles import CloudFile, CloudFiles, clear_memory, compression, dl, exceptions, paths, reset_connection_pools
from cloudfiles.interfaces import COMPRESSION_EXTENSIONS
from cloudfiles.lib import mkdir, toabs, touch

NAMES = {
    "cloudfiles": ["CloudFiles", "CloudFile", "dl", "compression", "paths", "exceptions", "reset_connection_pools",
                   "clear_memory"],
    "cloudfiles.compression": ["compress", "decompress", "transcode", "normalize_encoding", "COMPRESSION_TYPES"],
    "cloudfiles.exceptions": ["CompressionError", "DecompressionError", "UnsupportedProtocolError",
                              "UnsupportedCompressionType", "AuthorizationError", "IntegrityError",
                              "MD5IntegrityError", "CRC32CIntegrityError"],
    "cloudfiles.interfaces": ["COMPRESSION_EXTENSIONS"],
    "cloudfiles.lib": ["mkdir", "touch", "toabs"],
    "cloudfiles.secrets": ["aws_credentials"],
    "cloudfiles.paths": ["normalize", "extract", "ExtractedPath", "to_https_protocol", "asprotocolpath", "asfilepath",
                         "ascloudpath", "asbucketpath", "get_protocol", "join", "dirname", "basename",
                         "ALLOWED_PROTOCOLS", "add_alias", "add_persistent_alias", "remove_persistent_alias",
                         "update_aliases_from_file", "find_common_buckets"],
}


@pytest.mark.parametrize(("module", "name"), [(module, name) for module, names in NAMES.items() for name in names])
def test_names(module: str, name: str) -> None:
    assert hasattr(import_module(module), name)


@pytest.mark.parametrize("statement", [
    "import cloudfiles; cloudfiles.paths.extract('mem://bucket/x')",
    "from cloudfiles.compression import *; compress(b''); decompress(b'', None); COMPRESSION_TYPES",
    "from cloudfiles import CloudFiles; CloudFiles('mem://bucket/x').put('a', b'')",
    "import cloudfiles.secrets; cloudfiles.secrets.aws_credentials",
])
def test_imports_in_a_fresh_process(statement: str) -> None:
    subprocess.run([sys.executable, "-c", statement], check=True)


# ---- signatures: these parameters in this order, with these defaults; more may follow


def _parameters(function: Any) -> list[tuple[str, Any]]:
    """The parameters that may be given by position, without self."""
    kinds = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.POSITIONAL_ONLY)
    return [(name, parameter.default) for name, parameter in inspect.signature(function).parameters.items()
            if name != "self" and parameter.kind in kinds]


_NONE = inspect.Parameter.empty
_OPTIONS = [("progress", False), ("green", None), ("secrets", None), ("num_threads", None), ("use_https", False),
            ("endpoint", None), ("parallel", 1), ("request_payer", None), ("locking", None), ("lock_dir", None),
            ("composite_upload_threshold", int(1e8)), ("no_sign_request", False)]
SIGNATURES: list[tuple[Any, list[tuple[str, Any]]]] = [
    (CloudFiles.__init__, [("cloudpath", _NONE), *_OPTIONS]),
    (CloudFiles.get, [("paths", _NONE), ("total", None), ("raw", False), ("progress", None), ("parallel", None),
                      ("return_dict", False), ("raise_errors", True), ("part_size", None)]),
    (CloudFiles.puts, [("files", _NONE), ("content_type", None), ("compress", None), ("compression_level", None),
                       ("cache_control", None), ("total", None), ("raw", False), ("progress", None),
                       ("parallel", None), ("storage_class", None)]),
    (CloudFile.__init__, [("path", _NONE), ("cache_meta", False), ("secrets", None),
                          ("composite_upload_threshold", int(1e8)), ("locking", None), ("lock_dir", None),
                          ("endpoint", None), ("no_sign_request", False), ("request_payer", None),
                          ("use_https", False)]),
    (CloudFile.get, [("ranges", None), ("raw", False)]),
    (compression.compress, [("content", _NONE), ("method", "gzip"), ("compress_level", None)]),
    (compression.decompress, [("content", _NONE), ("encoding", _NONE), ("filename", "N/A")]),
    (compression.transcode, [("files", _NONE), ("encoding", _NONE), ("level", None), ("progress", False),
                             ("in_place", False)]),
]


@pytest.mark.parametrize(("function", "expected"), SIGNATURES, ids=lambda one: getattr(one, "__qualname__", ""))
def test_signatures(function: Any, expected: list[tuple[str, Any]]) -> None:
    assert _parameters(function)[:len(expected)] == expected


@pytest.mark.parametrize("name", ["get", "get_json", "put", "puts", "put_json", "put_jsons", "exists", "head", "size",
                                  "subtree_size", "delete", "touch", "list", "isdir", "join", "dirname", "basename",
                                  "abspath", "clear_locks"])
def test_methods_of_cloudfiles(name: str) -> None:
    assert callable(getattr(CloudFiles, name))


@pytest.mark.parametrize("name", ["get", "get_json", "put", "put_json", "head", "size", "exists", "delete", "touch",
                                  "join"])
def test_methods_of_cloudfile(name: str) -> None:
    assert callable(getattr(CloudFile, name))


def test_attributes(tmp_path: Any) -> None:
    cf = CloudFiles(f"file://{tmp_path}")
    assert (cf.cloudpath, cf.protocol, cf.sep, cf.parallel) == (f"file://{tmp_path}", "file", "/", 1)
    assert cf._path.protocol == "file"
    assert isinstance(cf.lock_dir, str | None)
    assert CloudFile(f"file://{tmp_path}/x").protocol == "file"


# ---- small print


@pytest.fixture
def cf() -> CloudFiles:
    clear_memory()
    return CloudFiles("mem://bucket/dir")


def test_the_shape_of_a_result(cf: CloudFiles) -> None:
    cf.put("a", b"content", compress="gzip")
    [found] = cf.get([{"path": "a", "start": 0, "end": 4, "tags": {"x": 1}}])
    assert set(found) == {"path", "content", "byte_range", "error", "compress", "raw", "tags"}
    assert {found["byte_range"]: 1}[(0, 4)] == 1
    assert isinstance(found["byte_range"], tuple)
    assert (found["error"], found["tags"]) == (None, {"x": 1})
    cf.put("b", b"")
    assert not cf.get(["b"])[0]["compress"]


def test_progress_is_a_bool_or_a_text(cf: CloudFiles, capsys: pytest.CaptureFixture[str]) -> None:
    cf.puts([("a", b""), ("b", b"")], progress="Uploading things")
    assert "Uploading things" in capsys.readouterr().err
    CloudFiles("mem://bucket/dir", progress=True).get(["a", "b"])
    assert "2/2" in capsys.readouterr().err


def test_decompress_takes_three_positional_arguments() -> None:
    assert compression.decompress(compression.compress(b"content", "br"), "br", "name") == b"content"
    with pytest.raises(exceptions.DecompressionError, match="name"):
        compression.decompress(b"no such stream", "gzip", "name")


def test_what_is_not_encoded_passes_through_decompress() -> None:
    """A result is decompressed without a look at its content: None where the object is missing."""
    live = object()
    assert compression.decompress(None, None) is None  # type: ignore[arg-type]
    assert compression.decompress(None, "", "name") is None  # type: ignore[arg-type]
    assert compression.decompress(live, None) is live  # type: ignore[arg-type, comparison-overlap]


def test_transcode_takes_pairs(cf: CloudFiles) -> None:
    files = list(compression.transcode([("a", b"content"), {"path": "b", "content": b"more"}], encoding="gzip"))
    cf.puts(files, compress="gzip", raw=True)
    assert [found["content"] for found in cf.get(["a", "b"])] == [b"content", b"more"]
    [plain] = compression.transcode([("a", b"content")], encoding=None)
    assert plain["content"] == b"content"


def test_mem_keeps_live_objects(cf: CloudFiles) -> None:
    numpy = pytest.importorskip("numpy")
    array, labels = numpy.arange(5), {1, 2, 3}
    cf.put("array", array, raw=True)
    cf.puts([("labels", labels), {"path": "compressed", "content": array, "compress": "gzip"}], raw=True)
    assert cf.get("array", raw=True) is array
    assert cf.get("array") is array
    assert cf.get(["labels", "compressed"], raw=True)[0]["content"] is labels
    assert cf.get(["compressed"])[0]["content"] is array


def test_mem_keeps_encoded_bytes(cf: CloudFiles) -> None:
    cf.put("a", b"content" * 100, compress="gzip")
    assert compression.decompress(cf.get("a", raw=True), "gzip") == b"content" * 100


def test_clear_memory(cf: CloudFiles) -> None:
    cf.put("a", b"")
    clear_memory()
    assert cf.exists("a") is False


def test_a_cloudfile_is_sliced_and_measured_and_no_io(cf: CloudFiles) -> None:
    cf.put("a", bytes(range(100)))
    file = CloudFile("mem://bucket/dir/a")
    assert (file[0:30], len(file)) == (bytes(range(30)), 100)
    assert not isinstance(file, io.IOBase)
    assert not hasattr(file, "read")


def test_a_head_and_a_missing_one(cf: CloudFiles) -> None:
    cf.put("a", b"content")
    head = cf.head("a")
    assert set(head) == {"Content-Length", "Content-Type", "Content-Encoding", "Content-md5", "ETag", "Last-Modified",
                         "Cache-Control", "Content-Disposition", "Content-Language", "Storage-Class",
                         "Request-Charged", "Parts-Count"}
    assert head["Content-Length"] == 7
    assert head["Content-Language"] is None
    assert cf.head("missing") is None


@pytest.mark.parametrize(("encoding", "suffix"), [("gzip", ".gz"), ("br", ".br"), ("zstd", ".zstd"), ("xz", ".xz"),
                                                  ("bz2", ".bz2")])
def test_on_file_an_encoding_is_a_suffix(tmp_path: Any, encoding: str, suffix: str) -> None:
    cf = CloudFiles(f"file://{tmp_path}")
    cf.put("dir/a", b"content", compress=encoding)
    assert COMPRESSION_EXTENSIONS[suffix] == encoding
    assert [path.name for path in (tmp_path / "dir").iterdir()] == ["a" + suffix]
    assert list(cf.list()) == ["dir/a"]
    assert cf.get("dir/a") == b"content"
    assert cf.exists("dir/a") is True


def test_cloudpaths_of_every_kind() -> None:
    extract = paths.extract
    assert extract("precomputed://gs://b/x")[:4] == ("precomputed", "gs", "b", "x")
    assert extract("zarr://s3://b/x").format == "zarr"
    assert extract("gs://b/a|zarr2:")[:4] == ("zarr2", "gs", "b", "a")
    assert extract("graphene://https://host/x").protocol == "https"
    custom = extract("s3://https://host/bucket/key")
    assert (custom.protocol, custom.host, custom.bucket, custom.path) == ("s3", "https://host", "bucket", "key")
    for alias in ("matrix", "tigerdata", "nokura"):
        assert extract(f"{alias}://bucket/x").alias == alias
    assert paths.normalize("~/x").startswith("file://")
    assert paths.normalize("x/y").startswith("file:///")
    assert CloudFiles("x").cloudpath == paths.normalize("x")


def test_secrets_files(home: Any) -> None:
    directory = home / ".cloudvolume" / "secrets"
    directory.mkdir(parents=True)
    (directory / "aws-secret.json").write_text('{"AWS_ACCESS_KEY_ID": "AKIA1", "AWS_SECRET_ACCESS_KEY": "s"}')
    (directory / "special-aws-secret.json").write_text('{"AWS_ACCESS_KEY_ID": "AKIA2", "AWS_SECRET_ACCESS_KEY": "s"}')
    assert cloudfiles.secrets.aws_credentials("any", "aws")["AWS_ACCESS_KEY_ID"] == "AKIA1"
    assert cloudfiles.secrets.aws_credentials("special", "aws")["AWS_ACCESS_KEY_ID"] == "AKIA2"


def test_local_helpers(tmp_path: Any) -> None:
    mkdir(str(tmp_path / "a" / "b"))
    touch(str(tmp_path / "a" / "b" / "c"))
    assert (tmp_path / "a" / "b" / "c").exists()
    assert toabs("~/x").endswith("/x")
    assert not toabs("~/x").startswith("~")


def test_the_same_path_twice_is_a_value_error(cf: CloudFiles) -> None:
    with pytest.raises(ValueError):
        cf.puts([("a", b""), ("a", b"")])


def test_dl_and_pools(cf: CloudFiles) -> None:
    cf.put("a", b"1")
    assert dl(["mem://bucket/dir/a"])[0]["content"] == b"1"
    assert dl("mem://bucket/dir/a")["content"] == b"1"
    reset_connection_pools()


def test_pickles(cf: CloudFiles) -> None:
    cf.put("a", b"1")
    assert pickle.loads(pickle.dumps(cf)).get("a") == b"1"
    error = pickle.loads(pickle.dumps(exceptions.MD5IntegrityError("wrong", path="a")))
    assert isinstance(error, exceptions.IntegrityError)
    assert error.path == "a"


@pytest.mark.parametrize("content_type", ["application/json", "text/plain; charset=utf-8", "application/geo+json"])
def test_text_of_a_text_type_is_stored_as_utf8(content_type: str) -> None:
    """cloud-volume puts its info and provenance as str with a JSON content type."""
    cf = CloudFiles("mem://existing-programs/text")
    cf.put("info", '{"é": 1}', content_type=content_type)
    assert cf.get("info") == '{"é": 1}'.encode()


def test_a_result_is_a_dict_that_says_what_verified_it() -> None:
    cf = CloudFiles("mem://existing-programs/verified")
    cf.put("key", b"content")
    found, missing = cf.get(["key", "missing"])
    assert type(found).__mro__[1] is dict
    assert isinstance(found.verified, str)
    assert missing.verified == ""
    assert pickle.loads(pickle.dumps(found)).verified == found.verified


def test_more_attributes() -> None:
    secrets = {"AWS_ACCESS_KEY_ID": "AKIA1", "AWS_SECRET_ACCESS_KEY": "s"}
    cf = CloudFiles("s3://bucket/x", secrets=secrets, request_payer="requester", composite_upload_threshold=7)
    assert (cf.secrets, cf.request_payer, cf.locking, cf.no_sign_request, cf.composite_upload_threshold) == (
        secrets, "requester", None, False, 7)


def test_options_that_are_given_as_nothing() -> None:
    cf = CloudFiles("mem://bucket/x", num_threads=None, parallel=None, endpoint="", secrets=False, request_payer=False,  # type: ignore[arg-type]
                    composite_upload_threshold=None, lock_dir="")
    assert (cf.num_threads, cf.parallel, cf.secrets, cf.request_payer, cf.composite_upload_threshold) == (
        20, 1, None, None, int(1e8))


def test_num_threads_reads_20_unless_it_was_given() -> None:
    unset, number = CloudFiles("mem://bucket/x"), CloudFiles("mem://bucket/x", num_threads=20)
    assert (unset.num_threads, number.num_threads) == (20, 20)
    for copied in (pickle.loads(pickle.dumps(unset)), copy.copy(unset)):
        assert (copied.num_threads, copied._store.width) == (20, None)
    assert pickle.loads(pickle.dumps(number))._store.width == 20
    assert CloudFiles("mem://bucket/x", num_threads=0).num_threads == 0


def test_one_module_has_all_three() -> None:
    from cloudfiles.cloudfiles import CloudFile as File
    from cloudfiles.cloudfiles import dl as download

    assert (File, download) == (CloudFile, dl)
    with pytest.raises(ImportError):
        from cloudfiles.cloudfiles import nothing  # type: ignore[attr-defined] # noqa: F401


def test_objects_that_are_set_by_key_stay_what_they_are_in_memory(cf: CloudFiles) -> None:
    labels = {1, 2, 3}
    cf["labels"] = labels
    assert cf["labels"] is labels
    with pytest.raises(exceptions.InvalidInputError):
        CloudFiles("s3://bucket/x")["labels"] = labels


def test_the_key_of_the_environment_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL"):
        monkeypatch.setenv(name, name)
    assert set(cloudfiles.secrets.aws_credentials(skip_files=True)) == {
        "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION"}
