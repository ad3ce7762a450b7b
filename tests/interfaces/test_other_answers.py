"""Answers that are not the store's: pages of portals and proxies, errors in a success. On every cloud."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator

import pytest

from cloudfiles.exceptions import (
    AuthorizationError,
    CloudFilesError,
    ProtocolError,
    ServerError,
    UnsupportedOperationError,
)
from cloudfiles.testing import Fault, Rule, S3Server, SetHeader, Status, error_in_200, expired_token, redirect, s3_error
from cloudfiles.testing.http_messages import Headers
from cloudfiles.transport.request import Response, status_error
from cloudfiles.transport.web_page import is_web_page, summary
from cloudfiles.types import WriteOptions
from tests.interfaces import s3_setup
from tests.interfaces.clouds import Cloud
from tests.interfaces.s3_setup import Worker, open_s3
from tests.servers.lies import PORTAL, AsStatus, Both, portal

pytestmark = pytest.mark.one_runtime

PLAIN = WriteOptions()
CONTENT = b"content " * 1000

Use = Callable[[Worker], object]
USES: dict[str, Use] = {
    "get": lambda at: at.get("a"), "range": lambda at: at.get("a", 2, 5), "suffix": lambda at: at.get("a", -3),
    "bounded": lambda at: at.get_bounded("a", 1 << 20), "exists": lambda at: at.exists("a"),
    "head": lambda at: at.head("a"), "size": lambda at: at.size("a"), "describe": lambda at: at.describe("a"),
    "put": lambda at: at.put("new", CONTENT, PLAIN), "list": lambda at: at.list_page(),
    "isdir": lambda at: at.isdir(""), "touch": lambda at: at.touch("new")}


@pytest.mark.parametrize("use", USES.values(), ids=USES)
def test_a_captive_portal_page_is_no_answer(cloud: Cloud, use: Use) -> None:
    cloud.server.script(Rule(portal(), times=None))
    with pytest.raises(ProtocolError) as raised:
        use(cloud.at)
    text = str(raised.value)
    assert "Sign in & go" in text or "text/html" in text  # a HEAD's answer has no title
    assert not {"<html", "<title", "<h1", "track()"} & {word for word in ("<html", "<title", "<h1", "track()")
                                                        if word in text}


@pytest.mark.parametrize(("code", "headers"), [(200, ()), (200, (("Content-Type", "text/xml"),)), (204, ())])
@pytest.mark.parametrize("use", USES.values(), ids=USES)
def test_an_empty_success_of_somebody_else_is_no_answer(cloud: Cloud, use: Use, code: int, headers: Headers) -> None:
    """As proxies send it, for a PUT too that has stored nothing."""
    cloud.server.script(Rule(Status(code, headers), times=None))
    with pytest.raises(CloudFilesError):
        use(cloud.at)


def test_an_empty_success_is_no_part_of_an_upload(cloud: Cloud) -> None:
    cloud.server.script(Rule(Status(200), method="PUT", times=None), Rule(Status(200), query="uploadType", times=None))
    with pytest.raises(ProtocolError):
        cloud.at.put("large", _Unsized(CONTENT), PLAIN)
    cloud.server.script()
    assert sorted(cloud.list()) == ["a", "b", "sub/c"]


def test_an_empty_success_that_passes_loses_nothing(cloud: Cloud) -> None:
    for use in (lambda: cloud.at.put("new", CONTENT, PLAIN), lambda: cloud.at.get("new")):
        cloud.server.script(Rule(Status(200)))
        use()
    assert cloud.at.get("new").content == CONTENT


def test_a_put_whose_response_is_about_other_content_is_sent_again(fault_server: S3Server, s3: Worker) -> None:
    other = (("ETag", '"0123456789abcdef0123456789abcdef"'), ("x-amz-checksum-crc32", "AAAAAA=="))
    s3.put("before", b"now the server is known to support CRCs", PLAIN)
    fault_server.script(Rule(Status(200, other), method="PUT"))
    s3.put("new", CONTENT, PLAIN)
    assert fault_server.get("new").content == CONTENT  # type: ignore[union-attr]


def test_a_redirect_that_is_not_followed_is_named(cloud: Cloud) -> None:
    cloud.server.script(Rule(redirect("http://login.example/?token=hunter2", 302), times=None))
    with pytest.raises(ServerError, match=r"302: a redirect to http://login\.example/, which") as raised:
        cloud.at.get("a")
    assert "hunter2" not in str(raised.value)


def test_a_document_without_elements_is_no_empty_listing(fault_server: S3Server, s3: Worker) -> None:
    fault_server.script(Rule(Status(200, body=b"<ListBucketResult></ListBucketResult>"), times=None))
    with pytest.raises(ProtocolError, match="none of the elements"):
        s3.list_page()


@pytest.mark.parametrize("keys", [["a"], ["a", "b"]])
def test_a_captive_portal_page_deletes_nothing(cloud: Cloud, keys: list[str]) -> None:
    cloud.server.script(Rule(portal(), times=None))
    if len(keys) > 1:
        with pytest.raises(ProtocolError, match="Sign in & go"):
            cloud.at.delete(keys)
    else:
        errors = cloud.at.delete(keys)
        assert sorted(errors) == keys
        assert all(isinstance(error, ProtocolError) and "Sign in & go" in str(error) for error in errors.values())
    cloud.server.script()
    assert sorted(cloud.list()) == ["a", "b", "sub/c"]


def test_a_captive_portal_page_is_no_part_of_an_upload(cloud: Cloud) -> None:
    cloud.server.script(Rule(portal(), method="PUT", times=None), Rule(portal(), query="uploadType", times=None))
    with pytest.raises(ProtocolError, match="Sign in & go"):
        cloud.at.put("large", _Unsized(CONTENT), PLAIN)
    cloud.server.script()
    assert sorted(cloud.list()) == ["a", "b", "sub/c"]


class _Unsized(io.BytesIO):
    """A file that does not tell its size: it is written in parts."""

    def seekable(self) -> bool:
        return False


@pytest.mark.parametrize("cloud", ["s3", "az"], indirect=True)
@pytest.mark.parametrize("use", ["get", "range", "head", "exists"])
def test_an_object_that_is_a_web_page_is_one(cloud: Cloud, use: str) -> None:
    cloud.at.put("a", PORTAL, WriteOptions(content_type="text/html"))
    assert USES[use](cloud.at)
    assert cloud.at.get("a").content == PORTAL


@pytest.mark.parametrize("use", ["get", "range", "bounded", "head", "exists", "size"])
def test_a_plain_server_that_sends_no_etag_can_be_read(cloud: Cloud, use: str) -> None:
    """As nginx may in front of a directory."""
    cloud.server.script(Rule(Both(SetHeader("ETag", None), SetHeader("Content-Type", "application/octet-stream")),
                             times=None))
    assert USES[use](cloud.at)


@pytest.mark.parametrize("cloud", ["gs"], indirect=True)
def test_a_web_page_in_cloud_storage_needs_no_etag(cloud: Cloud) -> None:
    cloud.at.put("a", PORTAL, WriteOptions(content_type="text/html"))
    cloud.server.script(Rule(SetHeader("ETag", None), times=None))
    assert cloud.at.get("a").content == PORTAL


@pytest.mark.parametrize("code", [403, 404, 500, 502])
@pytest.mark.parametrize("use", ["get", "put", "list", "exists"])
def test_no_page_stands_in_a_message(cloud: Cloud, code: int, use: str) -> None:
    cloud.server.script(Rule(portal(code), times=None))
    try:
        USES[use](cloud.at)
    except CloudFilesError as error:
        texts = [str(error), *(attempt.cause for attempt in error.attempts)]
        assert not any("<" in text for text in texts), texts
        assert "ListBucket" not in texts[0]
    else:
        assert code == 404


# ---- S3's errors in a success


@pytest.fixture
def s3(fault_server: S3Server, green: bool) -> Iterator[Worker]:
    fault_server.put("key", CONTENT)
    fault_server.configure(secret_key="secretkey1234567")
    yield open_s3(f"s3://{fault_server.bucket}/", green, endpoint=fault_server.url, secrets=fault_server.secrets)
    s3_setup.close_opened()


def test_an_error_in_the_success_of_a_put(fault_server: S3Server, s3: Worker) -> None:
    fault_server.script(Rule(error_in_200("InvalidArgument"), method="PUT", times=None))
    with pytest.raises(ServerError, match="InvalidArgument"):
        s3.put("new", CONTENT, PLAIN)
    fault_server.script(Rule(error_in_200("InternalError"), method="PUT"))
    s3.put("new", CONTENT, PLAIN)
    assert fault_server.get("new").content == CONTENT  # type: ignore[union-attr]


@pytest.mark.parametrize("cloud", ["s3", "az"], indirect=True)
@pytest.mark.parametrize("use", ["get", "range", "bounded"])
def test_an_error_in_the_success_of_a_get(cloud: Cloud, use: str) -> None:
    cloud.server.script(Rule(error_in_200("AccessDenied"), times=None))
    with pytest.raises(ServerError, match="AccessDenied"):
        USES[use](cloud.at)


@pytest.mark.parametrize("cloud", ["s3", "az"], indirect=True)
def test_an_error_in_the_success_of_a_delete(cloud: Cloud) -> None:
    cloud.server.script(Rule(error_in_200("AccessDenied"), times=None))
    errors = cloud.at.delete(["a"])
    assert "AccessDenied" in str(errors["a"])
    assert isinstance(errors["a"], ServerError)


def test_an_object_that_is_an_error_document_is_one(fault_server: S3Server, s3: Worker) -> None:
    document = s3_error(403, "AccessDenied").body
    s3.put("log", document, PLAIN)
    assert s3.get("log").content == document


@pytest.mark.parametrize("use", ["exists", "size", "head"])
def test_a_part_that_nobody_requested_is_no_head(cloud: Cloud, use: str) -> None:
    cloud.server.script(Rule(AsStatus(206), times=None))
    with pytest.raises(ProtocolError, match="206"):
        USES[use](cloud.at)


def test_an_error_in_the_success_of_a_part(fault_server: S3Server, s3: Worker) -> None:
    fault_server.script(Rule(error_in_200("InvalidArgument"), query="partNumber", times=None))
    with pytest.raises(ServerError, match="InvalidArgument"):
        s3.put("new", _Unsized(bytes(9 << 20)), PLAIN)
    assert fault_server.get("new") is None
    assert fault_server.uploads() == []


def test_a_web_page_as_the_bucket_is_still_there(fault_server: S3Server, s3: Worker) -> None:
    """Answers about buckets have no ETag, and some servers say of them that they are pages."""
    fault_server.script(Rule(Both(SetHeader("Content-Type", "text/html"), SetHeader("ETag", None)), key=""))
    assert s3.exists("missing") is False


# ---- a HEAD that is refused


@pytest.mark.parametrize("use", [lambda s3: s3.exists("key"), lambda s3: s3.head("key"), lambda s3: s3.size("key"),
                                 lambda s3: s3.describe("key"),
                                 lambda s3: s3.put("key", b"", WriteOptions(if_absent=True))])
def test_a_refused_head_tells_why(fault_server: S3Server, s3: Worker, green: bool, use: Use) -> None:
    wrong = {**fault_server.secrets, "AWS_SECRET_ACCESS_KEY": "wrong"}
    with pytest.raises(AuthorizationError, match="SignatureDoesNotMatch") as raised:
        use(open_s3(f"s3://{fault_server.bucket}/", green, endpoint=fault_server.url, secrets=wrong))
    assert "ListBucket" not in str(raised.value)
    requests = fault_server.requests()
    assert [request.method for request in requests] == ["HEAD", "GET"]
    assert requests[1].header("range") == "bytes=0-0"


def test_a_refused_head_that_a_get_is_not_is_asked_once_more(fault_server: S3Server, s3: Worker) -> None:
    fault_server.script(Rule(Status(403), method="HEAD"))
    assert s3.exists("key") is True
    assert [request.method for request in fault_server.requests()] == ["HEAD", "GET", "HEAD"]
    fault_server.script(Rule(Status(403), method="HEAD", times=None))
    with pytest.raises(AuthorizationError, match="403") as raised:
        s3.exists("key")
    assert "ListBucket" not in str(raised.value)


@pytest.mark.parametrize(("use", "hinted"), [
    (lambda s3: s3.get("key"), True), (lambda s3: s3.exists("key"), True),
    (lambda s3: s3.put("key", b"", PLAIN), False), (lambda s3: s3.list_page(), False)])
def test_the_hint_about_missing_keys_stands_with_reads_only(fault_server: S3Server, s3: Worker, use: Use,
                                                            hinted: bool) -> None:
    fault_server.script(Rule(s3_error(403, "AccessDenied"), times=None))
    with pytest.raises(AuthorizationError) as raised:
        use(s3)
    assert ("ListBucket" in str(raised.value)) is hinted


def test_the_hint_about_credentials_stands_where_there_are_some(fault_server: S3Server, s3: Worker,
                                                                green: bool) -> None:
    fault_server.script(Rule(expired_token(), times=None))
    with pytest.raises(AuthorizationError, match="newer credentials"):
        s3.get("key")
    anonymous = open_s3(f"s3://{fault_server.bucket}/", green, endpoint=fault_server.url, no_sign_request=True)
    with pytest.raises(AuthorizationError) as raised:
        anonymous.get("key")
    assert "newer credentials" not in str(raised.value)


# ---- conditional writes


@pytest.mark.parametrize("options", [WriteOptions(if_absent=True), WriteOptions(if_match='"x"')])
@pytest.mark.parametrize("trusted", [True, False])
def test_a_server_without_conditional_writes(fault_server: S3Server, s3: Worker, options: WriteOptions,
                                             trusted: bool) -> None:
    etag = fault_server.put("held", b"", etag="x").etag
    key = "new" if options.if_absent else "held"
    s3.exists("key")
    s3.interface._bucket.honors_conditions = trusted
    fault_server.script(Rule(Fault(), query="partNumber", times=None),
                        Rule(s3_error(501, "NotImplemented", "A header you provided implies functionality that is "
                                      "not implemented."), key=key, method="PUT", times=None),
                        Rule(s3_error(501, "NotImplemented"), key=key, method="POST", query="uploadId", times=None))
    for content in (b"small", _Unsized(bytes(9 << 20))):
        with pytest.raises(UnsupportedOperationError, match="conditional writes"):
            s3.put(key, content, options)
    assert fault_server.uploads() == []
    held = fault_server.get("held")
    assert held is not None
    assert held.etag == etag
    assert fault_server.get("new") is None


def test_a_501_of_any_other_write_is_the_servers_error(fault_server: S3Server, s3: Worker) -> None:
    fault_server.script(Rule(s3_error(501, "NotImplemented"), method="PUT", times=None))
    with pytest.raises(ServerError, match="NotImplemented"):
        s3.put("new", b"", PLAIN)


# ---- pages in words


@pytest.mark.parametrize(("page", "words"), [
    (PORTAL, "a web page with the title 'Sign in & go': Welcome to the guest network Please accept."),
    (b"<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n<center><h1>502 Bad Gateway</h1></center>\r\n"
     b"<hr><center>nginx</center>\r\n</body>\r\n</html>",
     "a web page with the title '502 Bad Gateway': 502 Bad Gateway nginx"),
    (b"<!doctype html><title>\n  Only\ttitle </title>", "a web page with the title 'Only title'"),
    (b"<html><body><p>cut in the mid", "a web page: cut in the mid"),
    (b"<html><title>never ended <b", "a web page with the title 'never ended'"),
    (b"<html><script>x = '<p>'", "a web page"), (b"\xef\xbb\xbf<?xml version='1.0'?><!-- c --><html>x</html>",
                                                 "a web page: x"),
    (b"<html>" + b"word " * 10_000, "a web page: " + "word " * 39 + "word...")])
def test_pages_in_words(page: bytes, words: str) -> None:
    assert is_web_page(Response(200, {}, page))
    assert summary(page) == words


@pytest.mark.parametrize("content", [b"", b"plain", b"<?xml version='1.0'?><Error/>", b"{}", b"<Error><Code>html"])
def test_what_is_no_page(content: bytes) -> None:
    assert not is_web_page(Response(500, {"content-type": "text/plain"}, content))


def test_a_success_that_is_none_is_not_the_servers_error() -> None:
    error = status_error(Response(206, {}, b"what?"), path="key")
    assert isinstance(error, ProtocolError)
    assert "206: what?" in str(error)


@pytest.mark.parametrize("use", ["get", "bounded"])
def test_an_object_of_a_server_that_sends_only_its_length(cloud: Cloud, use: str) -> None:
    cloud.server.script(Rule(Status(200, body=CONTENT), method="GET", times=None))
    assert USES[use](cloud.at).content == CONTENT  # type: ignore[attr-defined]
