"""`webhdfs://`: redirects, gateways, users, errors of Hadoop, and faults, on the scripted server."""

from __future__ import annotations

import io
import os
import socket
from collections.abc import Callable
from typing import Any

import pytest

from cloudfiles import CloudFiles
from cloudfiles.exceptions import (
    AuthorizationError,
    ConfigurationError,
    InvalidPathError,
    MD5IntegrityError,
    PreconditionFailedError,
    ProtocolError,
    ServerError,
    TruncatedBodyError,
    UnsupportedOperationError,
)
from cloudfiles.interfaces.webhdfs import interface as webhdfs_interface
from cloudfiles.interfaces.webhdfs.requests import MAX_REDIRECTS
from cloudfiles.testing import FlipBit, ResetBefore, ResetInBody, ResetInUpload, Rule, Status
from cloudfiles.testing.http_messages import ServerResponse
from tests.contents import numbered
from tests.internals import PART, SMALL_PARTS, Replace
from tests.selection import some
from tests.servers.processes import free_port
from tests.servers.webhdfs_server import DATA_NODE, WebHdfsServer, remote_exception

PAGE = b"<!DOCTYPE html><html><head><title>Sign in</title></head><body>Please sign in</body></html>"


@pytest.fixture(autouse=True)
def _no_waiting(internals: Replace) -> None:
    internals(retry_delay=lambda *args, **options: 0.0)


@pytest.fixture
def cf(webhdfs_server: WebHdfsServer) -> CloudFiles:
    return CloudFiles(f"webhdfs://me@{webhdfs_server.authority}/dir/")


def exception(name: str, status: int = 403, message: str = "") -> Status:
    response: ServerResponse = remote_exception(name, status, message)
    return Status(status, response.headers, response.body)


def to_data_node(op: str) -> str:
    """A text in the queries of requests to the DataNode."""
    return f"op={op}&{DATA_NODE}"


def temporaries(server: WebHdfsServer) -> list[str]:
    return [path for path in server.files() if ".cloudfiles-" in path]


# ---- redirects


def test_content_is_sent_to_the_data_node_only(webhdfs_server: WebHdfsServer, cf: CloudFiles) -> None:
    cf.put("key", b"content" * 1000)
    assert cf.get("key") == b"content" * 1000
    for request in webhdfs_server.requests():
        assert (request.bucket == "data") == (DATA_NODE in request.target)
        assert request.body_length == (7000 if request.bucket == "data" and request.method == "PUT" else 0)
    assert webhdfs_server.files() == {"/dir/key": b"content" * 1000}


def test_locations_in_documents(webhdfs_server: WebHdfsServer, cf: CloudFiles) -> None:
    webhdfs_server.configure(locations_in_documents=True)
    large = os.urandom(1 << 20)
    cf.put("key", large)
    cf.data_lake().append("key", 1 << 20, b"more")
    assert cf.get("key") == large + b"more"
    cf.put("\u00e9/\u65e5 %20", b"1")
    assert webhdfs_server.files()["/dir/\u00e9/\u65e5 %20"] == b"1"


def test_the_content_of_a_file_is_never_a_redirect(webhdfs_server: WebHdfsServer, cf: CloudFiles) -> None:
    content = b'{"Location": "http://localhost:1/webhdfs/v1/other"}'
    cf.put("key", content)
    assert cf.get("key") == content


@pytest.mark.parametrize("key", ["plus+plus", "a b", "\u00e9", "e\u0301", "x;y&z=1#?", "100%", "a%20b"])
def test_the_path_of_a_redirect_is_encoded(webhdfs_server: WebHdfsServer, cf: CloudFiles, key: str) -> None:
    cf.put(f"{key}/{key}", b"1")
    assert cf.get(f"{key}/{key}") == b"1"
    assert list(webhdfs_server.files()) == [f"/dir/{key}/{key}"]


def test_a_data_node_that_decodes_twice(webhdfs_server: WebHdfsServer, cf: CloudFiles) -> None:
    webhdfs_server.configure(decodes_twice=True)
    cf.put("a%20b", b"1")
    with pytest.raises(ServerError, match="DataNode does not find it"):
        cf.get("a%20b")
    cf.put("a b", b"2")
    with pytest.raises(InvalidPathError, match="would be read instead"):
        cf.get("a%20b")
    with pytest.raises(InvalidPathError, match="another directory"):
        cf.put("c%20d/x", b"1")
    assert temporaries(webhdfs_server) == []


def test_a_data_node_that_does_not_answer(webhdfs_server: WebHdfsServer, cf: CloudFiles) -> None:
    """The NameNode is asked again, and names another one."""
    webhdfs_server.write("/dir/key", b"content")
    with socket.socket() as dead:
        dead.bind(("127.0.0.1", 0))  # and does not listen
        place = f"http://127.0.0.1:{dead.getsockname()[1]}/webhdfs/v1/dir/key?op=OPEN&{DATA_NODE}&offset=0&length=7"
        webhdfs_server.script(Rule(Status(307, (("Location", place),)), query="op=OPEN", times=3))
        assert cf.get("key") == b"content"


@pytest.mark.parametrize(("location", "message"), [
    ("http://localhost:1/login?to=x", "which is not WebHDFS"),
    ("ftp://localhost/webhdfs/v1/dir/key", "invalid URL"),
    ("http://localhost:notaport/webhdfs/v1/dir/key", "invalid URL"),
])
def test_redirects_that_are_not_followed(webhdfs_server: WebHdfsServer, cf: CloudFiles, location: str,
                                         message: str) -> None:
    webhdfs_server.write("/dir/key", b"content")
    webhdfs_server.script(Rule(Status(307, (("Location", location),)), query="op=OPEN", times=None))
    with pytest.raises(ServerError, match=message):
        cf.get("key")


def test_a_data_node_that_fails_for_long(webhdfs_server: WebHdfsServer, cf: CloudFiles) -> None:
    """Following a redirect after each failure does not use up the corrections of a request."""
    webhdfs_server.script(Rule(ResetBefore(), query=DATA_NODE, times=20))
    cf.put("key", b"content")
    assert webhdfs_server.files() == {"/dir/key": b"content"}


def test_redirects_in_a_circle(webhdfs_server: WebHdfsServer, cf: CloudFiles) -> None:
    webhdfs_server.write("/dir/key", b"content")
    there = f"http://{webhdfs_server.authority}/webhdfs/v1/dir/key?op=OPEN&{DATA_NODE}"
    webhdfs_server.script(Rule(Status(307, (("Location", there),)), query="op=OPEN", times=None))
    with pytest.raises(ServerError, match=f"more than {MAX_REDIRECTS} redirects"):
        cf.get("key")


def test_tls_is_kept(certificates: Any, internals: Replace) -> None:
    with WebHdfsServer(certificates.server) as server:
        cf = CloudFiles(f"swebhdfs://me@localhost:{server.port}/", ca_bundle=str(certificates.authority))
        server.write("/key", b"content")
        with pytest.raises(ServerError, match="not encrypted"):
            cf.get("key")  # the server redirects to http://
        assert all("op=OPEN" not in request.target or request.bucket == "name" for request in server.requests())
        assert cf.size("key") == 7


# ---- gateways and pairs of NameNodes


def test_httpfs(webhdfs_server: WebHdfsServer, cf: CloudFiles) -> None:
    webhdfs_server.configure(httpfs=True)
    cf.put("dir/key", b"1")
    cf.put("dir/key", b"22")
    assert cf.get("dir/key") == b"22"
    with pytest.raises(PreconditionFailedError):
        cf.put("dir/key", b"3", if_absent=True)
    cf.put("new", b"4", if_absent=True)
    cf.mkdir("empty")
    with pytest.raises(InvalidPathError, match="a directory has this name"):
        cf.put("empty", b"5")
    cf.rename("dir/key", "moved")
    assert webhdfs_server.files() == {"/dir/moved": b"22", "/dir/new": b"4"}
    cf.put("tree/deep/key", b"5")
    cf.rename("tree", "empty")
    assert webhdfs_server.files() == {"/dir/moved": b"22", "/dir/new": b"4", "/dir/empty/deep/key": b"5"}


@pytest.mark.parametrize(("skip", "times"), [(0, None), (2, 1)])
def test_httpfs_that_does_not_rename(webhdfs_server: WebHdfsServer, cf: CloudFiles, skip: int,
                                     times: int | None) -> None:
    """It says no without a reason, always or when the old file is out of the way. The old file stays."""
    webhdfs_server.configure(httpfs=True)
    cf.put("key", b"old")
    refusal = Status(200, (("Content-Type", "application/json"),), b'{"boolean": false}')
    webhdfs_server.script(Rule(refusal, query="op=RENAME", skip=skip, times=times))
    with pytest.raises(ServerError, match="has not renamed it"):
        cf.put("key", b"new")
    assert webhdfs_server.files() == {"/dir/key": b"old"}


def test_a_gateway_with_another_path(webhdfs_server: WebHdfsServer) -> None:
    webhdfs_server.configure(base="/gateway/default/webhdfs/v1", httpfs=True, authorization="Basic bWU6cHc=")
    cf = CloudFiles("webhdfs://knox:8443/dir/", endpoint=f"{webhdfs_server.url}/gateway/default/webhdfs/v1",
                    secrets={"user": "me", "password": "pw"})
    cf.put("key", b"content")
    assert cf.get("key") == b"content"
    assert {request.header("authorization") for request in webhdfs_server.requests()} == {"Basic bWU6cHc="}
    assert not any("user.name" in request.target for request in webhdfs_server.requests())


@pytest.mark.parametrize("green", [True, False])
def test_the_other_name_node(webhdfs_server: WebHdfsServer, green: bool) -> None:
    port = webhdfs_server.port
    webhdfs_server.configure(standby=frozenset({"localhost"}), data_node=webhdfs_server.authority)
    for hosts in (f"localhost:{port},127.0.0.1:{port}", f"localhost:{free_port()},127.0.0.1:{port}"):
        cf = CloudFiles(f"webhdfs://me@{hosts}/dir/", green=green)
        cf.put("key", b"content")
        assert cf.get(["key"] * 3, return_dict=True) == {"key": b"content"}
    webhdfs_server.forget()
    cf.get("key")
    assert {request.header("host") for request in webhdfs_server.requests()} == {webhdfs_server.authority}


def test_a_failover(webhdfs_server: WebHdfsServer) -> None:
    """For a while, no NameNode is active."""
    cf = CloudFiles(f"webhdfs://me@localhost:{webhdfs_server.port},{webhdfs_server.authority}/dir/")
    webhdfs_server.write("/dir/key", b"content")
    webhdfs_server.script(Rule(exception("StandbyException"), times=15))
    assert cf.size("key") == 7


# ---- users


def queries(server: WebHdfsServer) -> set[str]:
    return {request.target.partition("?")[2].partition("&")[2] for request in server.requests()}


def test_the_user(webhdfs_server: WebHdfsServer, monkeypatch: pytest.MonkeyPatch) -> None:
    host, names = webhdfs_server.authority, []
    for cloudpath, options in (
            (f"webhdfs://cloud%40path@{host}/", {}), (f"webhdfs://{host}/", {"secrets": {"user.name": "secret"}}),
            (f"webhdfs://{host}/", {"secrets": {host: {"user": "for-this"}, "other:1": {"user": "x"}}}),
            (f"webhdfs://{host}/", {"secrets": {"user": "boss", "doas": "me"}}),
            (f"webhdfs://{host}/", {"secrets": {"user": "x", "delegation": "t0k/n"}}),
            (f"webhdfs://{host}/", {"no_sign_request": True})):
        webhdfs_server.forget()
        assert CloudFiles(cloudpath, **options).exists("x") is False  # type: ignore[arg-type]
        names += queries(webhdfs_server)
    assert names == ["user.name=cloud%40path", "user.name=secret", "user.name=for-this", "user.name=boss&doas=me",
                     "delegation=t0k%2Fn", ""]
    webhdfs_server.forget()
    monkeypatch.setenv("HADOOP_USER_NAME", "env")
    monkeypatch.setenv("HADOOP_PROXY_USER", "other")
    CloudFiles(f"webhdfs://{host}/").exists("x")
    assert queries(webhdfs_server) == {"user.name=env&doas=other"}


def test_a_bearer_token_is_for_the_name_node(webhdfs_server: WebHdfsServer) -> None:
    webhdfs_server.configure(authorization="Bearer t0k3n")
    cf = CloudFiles(f"webhdfs://{webhdfs_server.authority}/", secrets={"token": "t0k3n"})
    cf.put("key", b"content")
    assert cf.get("key") == b"content"
    assert {request.bucket: request.header("authorization") for request in webhdfs_server.requests()} == {
        "name": "Bearer t0k3n", "data": None}
    assert "t0k3n" not in repr(cf) + repr(cf._store.here())


def test_a_token_that_is_renewed(webhdfs_server: WebHdfsServer, tmp_path: Any) -> None:
    secret = tmp_path / "secret.json"
    secret.write_text('{"delegation": "old"}')
    cf = CloudFiles(f"webhdfs://{webhdfs_server.authority}/", secrets=str(secret))
    assert cf.exists("x") is False
    webhdfs_server.configure(parameter="delegation=new")
    with pytest.raises(AuthorizationError, match="InvalidToken") as caught:
        cf.exists("x")
    assert "old" not in str(caught.value)
    secret.write_text('{"delegation": "new", "comment": ""}')
    assert cf.exists("x") is False


def test_kerberos(webhdfs_server: WebHdfsServer, cf: CloudFiles) -> None:
    webhdfs_server.script(Rule(Status(401, (("WWW-Authenticate", "Negotiate"),), b"<html>401</html>"), times=None))
    with pytest.raises(AuthorizationError, match=r"Kerberos.*delegation token"):
        cf.get("key")


@pytest.mark.parametrize("secrets", [{"password": "x"}, {"usr": "x"}, {"user": 7}, {"user": "a:b", "password": "x"}])
def test_secrets_that_are_none(webhdfs_server: WebHdfsServer, secrets: Any) -> None:
    with pytest.raises(ConfigurationError):
        CloudFiles(f"webhdfs://{webhdfs_server.authority}/", secrets=secrets).exists("x")


# ---- faults


def test_a_body_that_breaks_off_is_continued(webhdfs_server: WebHdfsServer, cf: CloudFiles) -> None:
    content = os.urandom(300_000)
    webhdfs_server.write("/dir/key", content)
    webhdfs_server.script(Rule(ResetInBody(after=100_000), query=to_data_node("OPEN"), times=2))
    assert cf.get("key") == content
    assert cf["key", 1000:200_000] == content[1000:200_000]
    opened = [request.target for request in webhdfs_server.requests() if request.bucket == "data"]
    assert any("offset=100000" in target for target in opened)


def test_two_bodies_of_two_files_are_not_joined(webhdfs_server: WebHdfsServer, cf: CloudFiles,
                                                monkeypatch: pytest.MonkeyPatch) -> None:
    from cloudfiles.interfaces.webhdfs.objects import OpenRequest

    old, new = b"a" * 300_000, b"b" * 300_000
    webhdfs_server.write("/dir/key", old)
    webhdfs_server.script(Rule(ResetInBody(after=100_000), query=to_data_node("OPEN")))
    original = OpenRequest.on_incomplete_body

    def replace(self: OpenRequest, *args: Any) -> None:
        original(self, *args)
        webhdfs_server.write("/dir/key", new)

    monkeypatch.setattr(OpenRequest, "on_incomplete_body", replace)
    assert cf.get("key") == new


def test_bodies_that_are_too_short(webhdfs_server: WebHdfsServer, cf: CloudFiles) -> None:
    """A DataNode that announces and sends less: another one is asked; in the end, it is an error."""
    webhdfs_server.write("/dir/key", b"content")
    short = Status(200, (("Content-Type", "application/octet-stream"),), b"cont")
    webhdfs_server.script(Rule(short, query=to_data_node("OPEN"), times=2))
    assert cf.get("key") == b"content"
    assert cf["key", 2:5] == b"nte"
    webhdfs_server.script(Rule(short, query=to_data_node("OPEN"), times=None))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("cloudfiles.retry.RetryPolicy.allows", lambda self, failures, *more: failures < 3)
        with pytest.raises(TruncatedBodyError):
            cf.get("key")


def test_bodies_that_are_too_long(webhdfs_server: WebHdfsServer, cf: CloudFiles) -> None:
    webhdfs_server.write("/dir/key", b"content")
    webhdfs_server.script(Rule(Status(200, (), b"content and more"), query=to_data_node("OPEN"), times=None))
    with pytest.raises(ProtocolError, match="requested 7 bytes, but received 16"):
        cf.get("key")


@pytest.mark.parametrize("query", ["op=GETFILESTATUS", "op=OPEN", to_data_node("OPEN"), "op=LISTSTATUS", "op=CREATE",
                                   to_data_node("CREATE"), "op=RENAME", "op=DELETE", "op=MKDIRS"])
@pytest.mark.parametrize("page", [PAGE, b"{not json", b"[]", b"{}"])
def test_pages_and_nonsense_instead_of_answers(webhdfs_server: WebHdfsServer, cf: CloudFiles, query: str,
                                               page: bytes) -> None:
    """Nothing is taken for an answer that is none."""
    kind = "text/html" if page == PAGE else "application/json"
    if page != PAGE and ("OPEN" in query or "CREATE" in query or "RENAME" in query):
        return  # what is read may be anything; the others have no document
    webhdfs_server.write("/dir/key", b"content")
    webhdfs_server.script(Rule(Status(200, (("Content-Type", kind),), page), query=query, times=None))
    use: Callable[[], object] = {
        "LISTSTATUS": lambda: list(cf.list()), "CREATE": lambda: cf.put("x", b"1"), "RENAME": lambda: cf.put("x", b"1"),
        "DELETE": lambda: cf.delete("key"), "MKDIRS": lambda: cf.mkdir("d")}.get(
            query.removeprefix("op=").partition("&")[0], lambda: cf.get("key"))
    with pytest.raises(ProtocolError):
        use()
    webhdfs_server.script()
    assert cf.get("key") == b"content"


@pytest.mark.parametrize("fault", some([
    ResetBefore(), ResetBefore(acted=True), exception("RetriableException"), exception("SafeModeException"),
    Status(503), exception("BlockMissingException")], keep=[ResetBefore(acted=True), exception("SafeModeException")]))
@pytest.mark.parametrize("query", ["op=GETFILESTATUS", "op=CREATE", to_data_node("CREATE"), "op=RENAME"])
def test_a_put_survives_faults(webhdfs_server: WebHdfsServer, cf: CloudFiles, query: str, fault: Any) -> None:
    webhdfs_server.write("/dir/key", b"old")
    webhdfs_server.script(Rule(fault, query=query, times=2 if query == "op=CREATE" else 1))
    cf.put("key", b"content")
    assert webhdfs_server.files() == {"/dir/key": b"content"}
    cf.put("new", b"1", if_absent=True)
    assert cf.get("new") == b"1"


def test_a_rename_whose_response_is_lost(webhdfs_server: WebHdfsServer, cf: CloudFiles) -> None:
    """It was done: the temporary file is missing, and the object is ours."""
    webhdfs_server.script(Rule(ResetBefore(acted=True), query="op=RENAME"))
    cf.put("key", b"content", if_absent=True)
    assert webhdfs_server.files() == {"/dir/key": b"content"}


@pytest.mark.parametrize("rule", [
    Rule(exception("DSQuotaExceededException"), query=to_data_node("CREATE"), times=None),
    Rule(exception("AccessControlException"), query="op=RENAME", times=None),
    Rule(exception("IOException"), query="op=RENAME", times=None)])
def test_a_put_that_fails_leaves_nothing(webhdfs_server: WebHdfsServer, cf: CloudFiles, rule: Rule) -> None:
    webhdfs_server.write("/dir/key", b"old")
    webhdfs_server.script(rule)
    with pytest.raises((ServerError, AuthorizationError), match="Exception"):
        cf.put("key", b"content")
    assert webhdfs_server.files() == {"/dir/key": b"old"}


@pytest.mark.parametrize("query", ["op=CREATE", to_data_node("CREATE")])
def test_what_was_never_created_is_not_removed(webhdfs_server: WebHdfsServer, cf: CloudFiles, query: str) -> None:
    webhdfs_server.script(Rule(exception("AccessControlException"), query=query, times=None))
    with pytest.raises(AuthorizationError):
        cf.put("key", b"content")
    assert webhdfs_server.requests("DELETE") == []


def test_damaged_content_is_noticed(webhdfs_server: WebHdfsServer, cf: CloudFiles) -> None:
    webhdfs_server.write("/dir/key", b"old")
    webhdfs_server.script(Rule(FlipBit(5), query=to_data_node("CREATE"), times=None))
    with pytest.raises(MD5IntegrityError):
        cf.put("key", os.urandom(1 << 20))
    assert webhdfs_server.files() == {"/dir/key": b"old"}


def test_an_upload_that_breaks_off(webhdfs_server: WebHdfsServer, cf: CloudFiles) -> None:
    content = os.urandom(3 << 20)
    webhdfs_server.script(Rule(ResetInUpload(1 << 20), query=to_data_node("CREATE"), times=2))
    cf.put("key", io.BytesIO(content))
    assert webhdfs_server.files() == {"/dir/key": content}


def test_conditions_are_the_servers(webhdfs_server: WebHdfsServer, cf: CloudFiles) -> None:
    """A file that another client creates between the check and the rename is not replaced."""
    from cloudfiles.interfaces.webhdfs.objects import TemporaryFile

    original = TemporaryFile.publish

    def publish(self: TemporaryFile, *args: Any) -> None:
        webhdfs_server.write("/dir/key", b"theirs")
        original(self, *args)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TemporaryFile, "publish", publish)
        with pytest.raises(PreconditionFailedError):
            cf.put("key", b"ours", if_absent=True)
    assert webhdfs_server.files() == {"/dir/key": b"theirs"}


# ---- errors


@pytest.mark.parametrize(("fault", "kind"), [
    (exception("AccessControlException"), AuthorizationError),
    (exception("SecurityException", 401), AuthorizationError), (exception("IOException"), ServerError),
    (exception("NSQuotaExceededException"), ServerError),
    (exception("UnsupportedOperationException", 400), UnsupportedOperationError),
    (exception("InvalidPathException", 400), InvalidPathError), (Status(404, (), PAGE), ServerError),
    (Status(404), ServerError), (exception("FileNotFoundException", 500), ServerError)])
def test_errors_are_not_missing_files(webhdfs_server: WebHdfsServer, cf: CloudFiles, fault: Any, kind: type) -> None:
    webhdfs_server.script(Rule(fault, times=None))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("cloudfiles.retry.RetryPolicy.allows", lambda self, failures, *more: failures < 3)
        for verb in (cf.get, cf.exists, cf.size, cf.delete):
            with pytest.raises(kind):
                verb("key")
        with pytest.raises(kind):
            list(cf.list())


def test_a_file_where_a_directory_should_be(cf: CloudFiles) -> None:
    cf.put("a", b"1")
    assert cf.get("a/b") is None
    assert cf.exists("a/b") is False
    assert list(cf.list("a/")) == []
    with pytest.raises(InvalidPathError):
        cf.put("a/b", b"2")
    cf.mkdir("d")
    with pytest.raises(InvalidPathError, match="a directory has this name"):
        cf.put("d", b"2")
    assert cf.get("d") is None
    cf.delete("d")
    assert cf.isdir("d")


def test_a_path_below_a_file_that_hadoop_2_denies(webhdfs_server: WebHdfsServer, cf: CloudFiles) -> None:
    """It checks whether the user may search the file, and shows its permissions."""
    denied = 'Permission denied: user=me, access=EXECUTE, inode="/dir/a/b":root:supergroup:{}'
    webhdfs_server.script(Rule(exception("AccessControlException", 403, denied.format("-rw-r--r--")), times=None))
    assert cf.get("a/b") is None
    webhdfs_server.script(Rule(exception("AccessControlException", 403, denied.format("drw-r--r--")), times=None))
    with pytest.raises(AuthorizationError):
        cf.get("a/b")


def test_metadata_and_encodings_are_refused(cf: CloudFiles) -> None:
    with pytest.raises(UnsupportedOperationError, match="webhdfs:// does not keep content encodings"):
        cf.put("a", b"1", compress="gzip")
    with pytest.raises(UnsupportedOperationError, match="metadata"):
        cf.put("a", b"1", metadata={"a": "b"})
    assert cf.exists("a") is False


# ---- listings


def test_names_that_lead_elsewhere(webhdfs_server: WebHdfsServer, cf: CloudFiles) -> None:
    for name in ("../x", "..", ".", "a/b"):
        document = ('{"FileStatuses": {"FileStatus": [{"type": "FILE", "length": 1, "modificationTime": 1, '
                    f'"pathSuffix": "{name}"}}]}}}}').encode()
        webhdfs_server.script(Rule(Status(200, (), document), query="op=LISTSTATUS", times=None))
        with pytest.raises(ProtocolError):
            list(cf.list())


def test_directories_are_read_side_by_side_and_in_order(webhdfs_server: WebHdfsServer, green: bool) -> None:
    keys = sorted([f"{a}/{b}/{c}" for a in "ab\u00e9" for b in range(7) for c in range(3)]
                  + ["a-b", "a0", "b.txt", "\U0001f600/x", "\uffee"], key=str.encode)
    cf = CloudFiles(f"webhdfs://me@{webhdfs_server.authority}/dir/", green=green)
    cf.puts((key, b"1") for key in keys)
    assert list(cf.list()) == keys
    assert list(cf.list("a")) == [key for key in keys if key.startswith("a")]
    interface = cf._store.here()
    for limit in (1, 2, 5):
        for after in (None, keys[0], keys[10], "a/3", "a/3/", "a/9", "zz"):
            assert walked(interface, after, limit) == [key for key in keys if key.encode() > (after or "").encode()]


def test_a_directory_of_many_pages_is_read_once(webhdfs_server: WebHdfsServer, cf: CloudFiles,
                                                monkeypatch: pytest.MonkeyPatch) -> None:
    """Twice to look up keys: the second time for those after the first page."""
    monkeypatch.setattr(webhdfs_interface, "PAGE_ENTRIES", 20)
    keys = [f"{number:03}" for number in range(300)]
    for key in keys:
        webhdfs_server.write(f"/dir/{key}", b"1")
    for ask, expected, count in ((lambda: list(cf.list()), keys, 1),
                                 (lambda: cf.exists([*keys, "no"]), {**dict.fromkeys(keys, True), "no": False}, 2)):
        webhdfs_server.forget()
        assert ask() == expected
        assert len(webhdfs_server.requests()) == count


def walked(interface: Any, after: str | None, limit: int) -> list[str]:
    found: list[str] = []
    token = None
    while True:
        page = interface.list_page(start_after=after, token=token, limit=limit)
        found += [entry.key for entry in page.entries]
        token = page.next_token
        if token is None:
            return found
        interface._walks.clear()  # as in another process


def test_temporaries_are_hidden_and_discarded(webhdfs_server: WebHdfsServer, cf: CloudFiles) -> None:
    left = "/dir/sub/.cloudfiles-1-0123456789abcdef-0.tmp"
    webhdfs_server.write(left, b"half")
    cf.put("sub/key", b"1")
    assert list(cf.list()) == ["sub/key"]
    assert cf._store.here().discard_partial("", 3600) == 0
    assert cf._store.here().discard_partial("", -60) == 1
    assert list(webhdfs_server.files()) == ["/dir/sub/key"]
    with pytest.raises(InvalidPathError):
        cf.get(left.removeprefix("/dir/"))


def test_transfers_in_parts(webhdfs_server: WebHdfsServer, tmp_path: Any, internals: Replace, green: bool) -> None:
    internals(**SMALL_PARTS)
    content = numbered(PART * 5 // 2)
    (tmp_path / "large").write_bytes(content)
    here = CloudFiles(f"webhdfs://me@{webhdfs_server.authority}/copy/", green=green)
    CloudFiles(f"file://{tmp_path}").transfer_to(here.cloudpath, paths=["large"])
    here.transfer_to(f"mem://webhdfs-{green}/", paths=["large"])
    assert CloudFiles(f"mem://webhdfs-{green}/").get("large") == content
    assert webhdfs_server.files() == {"/copy/large": content}


def test_an_append_that_breaks_off(webhdfs_server: WebHdfsServer, cf: CloudFiles) -> None:
    cf.put("log", b"1")
    lake = cf.data_lake()
    for fault in (ResetBefore(), ResetBefore(acted=True), ResetInUpload(2)):
        webhdfs_server.write("/dir/log", b"1")
        webhdfs_server.script(Rule(fault, query=to_data_node("APPEND")))
        lake.append("log", 1, b"2345")
        assert cf.get("log") == b"12345"
    with pytest.raises(PreconditionFailedError):
        lake.append("log", 3, b"6")
    assert cf.get("log") == b"12345"


def test_a_part_of_an_append_is_removed_and_appended_again(webhdfs_server: WebHdfsServer, cf: CloudFiles,
                                                           monkeypatch: pytest.MonkeyPatch) -> None:
    """A DataNode keeps what it has received of a body that breaks off."""
    from cloudfiles.interfaces.webhdfs.appending import HdfsAppending

    original = HdfsAppending._has_appended
    left = [b"123", b"1xy"]

    def has_appended(self: HdfsAppending, *args: Any) -> bool:
        webhdfs_server.write("/dir/log", left.pop(0))
        return original(self, *args)

    monkeypatch.setattr(HdfsAppending, "_has_appended", has_appended)
    webhdfs_server.write("/dir/log", b"1")
    webhdfs_server.script(Rule(ResetBefore(), query=to_data_node("APPEND")))
    cf.data_lake().append("log", 1, b"2345")
    assert cf.get("log") == b"12345"
    webhdfs_server.write("/dir/log", b"1")
    webhdfs_server.script(Rule(ResetBefore(), query=to_data_node("APPEND")))
    with pytest.raises(PreconditionFailedError, match="another client"):
        cf.data_lake().append("log", 1, b"2345")
    assert cf.get("log") == b"1xy"


def test_a_truncation_is_waited_for(webhdfs_server: WebHdfsServer, cf: CloudFiles) -> None:
    """Until the DataNodes have cut the last block, the old file is there."""
    webhdfs_server.configure(recoveries=2)
    cf.put("log", b"12345")
    cf.data_lake().truncate("log", 2)
    assert cf.get("log") == b"12"


def test_blocks_are_concatenated_on_the_server(webhdfs_server: WebHdfsServer, cf: CloudFiles) -> None:
    cf.puts([("a", b"1"), ("b", b"2"), ("c", b"3")])
    webhdfs_server.forget()
    cf.concat(["a", "b", "c"], "whole", delete_source=True)
    assert webhdfs_server.files() == {"/dir/whole": b"123"}
    assert not [request for request in webhdfs_server.requests() if request.bucket == "data"]


def test_explain_auth(webhdfs_server: WebHdfsServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HADOOP_USER_NAME", "somebody")
    interface = CloudFiles(f"webhdfs://{webhdfs_server.authority}/", secrets=None)._store.here()
    assert interface.explain_credentials()[-1][1] == "user 'somebody', from HADOOP_USER_NAME"
    interface = CloudFiles(f"webhdfs://{webhdfs_server.authority}/", secrets={"delegation": "t0k"})._store.here()
    assert interface.explain_credentials()[0][1] == "a delegation token"
