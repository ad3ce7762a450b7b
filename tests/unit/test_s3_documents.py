"""S3's documents: listings and refusals, as various servers write them."""

from __future__ import annotations

import pickle
import xml.etree.ElementTree as ET
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudfiles.exceptions import (
    AuthorizationError,
    CloudFilesError,
    IntegrityError,
    MD5IntegrityError,
    PreconditionFailedError,
    ProtocolError,
    ServerError,
)
from cloudfiles.interfaces.documents import XML_ERRORS, parse_xml_content
from cloudfiles.interfaces.s3.list_entries import split_entries
from cloudfiles.interfaces.s3.listing import parse_page, unquote_key, unquote_keys
from cloudfiles.interfaces.s3.protocol import ErrorDocument, build_error, parse_error_document
from cloudfiles.transport.request import Response
from cloudfiles.types import ListPage

SPACE = ' xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'
keys = st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=30)


def page(inner: str, root: str = "", space: str = SPACE, *, flat: bool = False) -> ListPage:
    return parse_page(ET.fromstring(f"<ListBucketResult{space}>{inner}</ListBucketResult>"), root, root, flat=flat)


def contents(key: str, etag: str = '"e"', size: int = 3) -> str:
    return (f"<Contents><Key>{key}</Key><LastModified>2026-01-02T03:04:05.000Z</LastModified><ETag>{etag}</ETag>"
            f"<Size>{size}</Size><StorageClass>STANDARD</StorageClass></Contents>")


# ---- listings


@pytest.mark.parametrize("space", [SPACE, ""])
def test_entries(space: str) -> None:
    found = page("<IsTruncated>false</IsTruncated>" + contents("a/b", "&quot;abc&quot;", 7), "a/", space)
    assert found.entries == [("b", 7, '"abc"', "2026-01-02T03:04:05.000Z")]
    assert found.prefixes == []
    assert found.next_token is None


FRAGMENTS = st.one_of(
    st.sampled_from([
        "<IsTruncated>false</IsTruncated>", "<CommonPrefixes><Prefix>a/</Prefix></CommonPrefixes>", " ", "\n",
        "<!-- " + contents("hidden") + " -->", "<Contents><Key>only</Key></Contents>",
        contents("<![CDATA[c]]>"), contents("a&amp;b"), contents("x", size=-1), contents("a</Key><Key>b"),
        contents("o").replace("<Size>3</Size>", "").replace("<ETag>", "<Size>4</Size><ETag>"),
        contents("s").replace("<Size>", "<ChecksumAlgorithm>CRC32</ChecksumAlgorithm><Size>"),
        contents("v").replace("</Contents>", "<Owner><ID>i</ID></Owner></Contents>"), "<Other>x</Other>", "</Contents>",
        contents("n").replace("<ETag>", "<ETag/><ETag>"), contents("k\x01")]),
    st.tuples(st.text(st.characters(exclude_categories=("Cs",)), max_size=8),
              st.sampled_from(["", '"e"', "&quot;e&quot;", "&#34;e&#34;", "&amp;"])).map(lambda both: contents(*both)))


@given(st.lists(FRAGMENTS, max_size=8), st.sampled_from(["", SPACE]))
def test_entries_are_the_same_with_and_without_xml(fragments: list[str], space: str) -> None:
    """What is not written as by S3 is left to the parser of XML."""
    document = f"<?xml version='1.0'?><ListBucketResult{space}>{''.join(fragments)}</ListBucketResult>".encode()
    try:
        expected = parse_page(parse_xml_content(document), "", "", flat=True)
    except (*XML_ERRORS, ProtocolError):
        expected = None
    split = split_entries(document)
    if split is None:
        return
    try:
        found = parse_page(parse_xml_content(split[0]), "", "", flat=True, entries=split[1])
    except (*XML_ERRORS, ProtocolError):
        found = None
    assert found == expected


def test_entries_as_s3_writes_them_are_not_parsed_as_xml() -> None:
    checksum = "<ChecksumType>FULL_OBJECT</ChecksumType>"
    inner = contents("a", "&quot;abc&quot;") + contents("b").replace("<Size>", f"{checksum}<Size>")
    document = f"<ListBucketResult{SPACE}><Name>n</Name>{inner}<KeyCount>2</KeyCount></ListBucketResult>".encode()
    split = split_entries(document)
    assert split is not None
    assert split[0] == f"<ListBucketResult{SPACE}><Name>n</Name><KeyCount>2</KeyCount></ListBucketResult>".encode()
    assert split[1].keys == ("a", "b")
    assert list(split[1].etags) == ['"abc"', '"e"']
    assert split_entries(document.replace(b"<Key>b", b"<Kei>b")) is None


@given(st.lists(st.text(st.sampled_from("%20+2BFc3A=:@/,axuN\\\n\x00\xe9\U0001f600\udcff"), max_size=12), max_size=5),
       st.sampled_from(["/", "", "%"]))
def test_keys_are_decoded_together_as_one_by_one(keys: list[str], safe: str) -> None:
    """Also where a server does not encode all of them."""
    encoded = [quote(key, safe=safe, errors="surrogateescape") for key in keys]
    for texts in (encoded, keys, encoded[:2] + keys[2:], [text.replace("%20", "+") for text in encoded]):
        assert unquote_keys(texts) == list(map(unquote_key, texts))
    if safe != "%":
        assert unquote_keys(encoded) == keys


def test_etags_are_quoted_where_the_server_forgot() -> None:
    assert page(contents("a", "abc")).entries[0].etag == '"abc"'


def test_the_cloudpath_itself_is_no_entry() -> None:
    assert [entry.key for entry in page(contents("a/") + contents("a/b"), "a/").entries] == ["b"]


def test_prefixes_and_tokens() -> None:
    found = page("<IsTruncated>true</IsTruncated><NextContinuationToken>t+/=</NextContinuationToken>"
                 "<CommonPrefixes><Prefix>r/a/</Prefix></CommonPrefixes>"
                 "<CommonPrefixes><Prefix>r/b/</Prefix></CommonPrefixes>", "r/", flat=True)
    assert found.prefixes == ["a/", "b/"]
    assert found.next_token == "t+/="


@given(keys)
def test_encoded_keys_come_back(key: str) -> None:
    found = page("<EncodingType>url</EncodingType>" + contents(quote_plus(key, safe="/")))
    assert found.entries[0].key == key
    assert unquote_key(quote_plus(key)) == key


def test_pages_of_keys_come_back() -> None:
    """They are decoded all at once, also those with line feeds."""
    keys = ["a b", "a+b", "a/%", "dt=2024/\n", "\n", "\n\n", "\u1234", "x"]
    found = page("<EncodingType>url</EncodingType>" + "".join(contents(quote_plus(key, safe="/")) for key in keys))
    assert [entry.key for entry in found.entries] == keys


def test_keys_are_not_decoded_where_they_are_not_encoded() -> None:
    assert page(contents("a%2Fb+c")).entries[0].key == "a%2Fb+c"


def test_undecodable_keys_can_be_asked_for() -> None:
    assert page("<EncodingType>url</EncodingType>" + contents("%FF")).entries[0].key == "\udcff"


@pytest.mark.parametrize(("inner", "token"), [
    ("<NextMarker>r/x+y</NextMarker>" + contents("r/a") + contents("r/x%2By"), "marker:x+y"),
    (contents("r/"), "marker:"), (contents("r/a") + contents("r/b"), "marker:b"),
    (contents("r/a") + "<CommonPrefixes><Prefix>r/c/</Prefix></CommonPrefixes>", "marker:c/")])
def test_pages_of_older_servers_continue(inner: str, token: str) -> None:
    found = page("<EncodingType>url</EncodingType><IsTruncated>true</IsTruncated>" + inner, "r/", flat=True)
    assert found.next_token == token


def test_a_page_that_continues_nowhere_is_an_error() -> None:
    with pytest.raises(ProtocolError, match="no continuation token"):
        page("<IsTruncated>true</IsTruncated>")


# ---- refusals


@pytest.mark.parametrize("document", [
    "<Error><Code>SlowDown</Code><Message>m</Message></Error>",
    '<?xml version="1.0"?>\n<Error xmlns="urn:x"><Code> SlowDown </Code><Message>m</Message></Error>',
    '  \n <?xml version="1.0"?><Error><Code>SlowDown</Code><Message>m</Message></Error>',
    "<ErrorResponse><Error><Code>SlowDown</Code><Message>m</Message></Error></ErrorResponse>"])
def test_documents_of_refusals(document: str) -> None:
    assert parse_error_document(document.encode()) == ErrorDocument("SlowDown", "m")


@pytest.mark.parametrize("content", [b"", b"<html><body>Error</body></html>", b"<Error><Code>", b"\xff\xfe",
                                     b"<Error/>"])
def test_what_is_no_document(content: bytes) -> None:
    assert parse_error_document(content) == ErrorDocument()


@pytest.mark.parametrize(("status", "code", "kind"), [
    (403, "AccessDenied", AuthorizationError), (403, "", AuthorizationError), (401, "x", AuthorizationError),
    (403, "SignatureDoesNotMatch", AuthorizationError), (400, "ExpiredToken", AuthorizationError),
    (400, "InvalidToken", AuthorizationError), (403, "RequestTimeTooSkewed", AuthorizationError),
    (412, "PreconditionFailed", PreconditionFailedError), (400, "BadDigest", MD5IntegrityError),
    (400, "XAmzContentSHA256Mismatch", IntegrityError), (404, "NoSuchBucket", ServerError),
    (403, "InvalidObjectState", ServerError), (400, "InvalidArgument", ServerError), (500, "", ServerError)])
def test_kinds_of_errors(status: int, code: str, kind: type[CloudFilesError]) -> None:
    error = build_error(ErrorDocument(code, "why"), Response(status, {}, b""), "key", "bucket")
    assert type(error) is kind
    assert error.path == "key"
    assert code in str(error)
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


@pytest.mark.parametrize(("status", "code", "passes"), [
    (400, "RequestTimeout", True), (200, "InternalError", True), (409, "OperationAborted", True),
    (409, "ConditionalRequestConflict", True), (400, "InvalidArgument", False), (404, "NoSuchBucket", False),
    (409, "BucketNotEmpty", False)])
def test_transient_errors(status: int, code: str, passes: bool) -> None:
    error = build_error(ErrorDocument(code), Response(status, {}, b""), "key", "bucket")
    assert isinstance(error, ServerError)
    assert error.is_transient is passes


@pytest.mark.parametrize(("status", "code"), [(503, "SlowDown"), (429, ""), (503, ""), (200, "SlowDown")])
def test_what_asks_for_fewer_requests(status: int, code: str) -> None:
    error = build_error(ErrorDocument(code), Response(status, {"retry-after": "7"}, b""), "key", "bucket")
    assert isinstance(error, ServerError)
    assert error.is_slow_down
    assert error.retry_after == 7.0
