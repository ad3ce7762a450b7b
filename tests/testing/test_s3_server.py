"""The scripted server speaks S3 well enough for boto3, and as strictly as S3 where it matters."""

from __future__ import annotations

import base64
import hashlib
import time
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
import urllib3
from botocore.config import Config
from botocore.exceptions import ClientError

from cloudfiles.testing import FlipBit, Rule, S3Server, error_in_200
from cloudfiles.testing.s3_objects import ALGORITHMS, checksum

SECRET = "secretkey1234567"


def _client(server: S3Server, **more: Any) -> Any:
    config = Config(s3={"addressing_style": more.pop("style", "path")}, retries={"max_attempts": 0})
    return boto3.client("s3", endpoint_url=server.url, config=config, **{
        "aws_access_key_id": "AKIAEXAMPLE0000", "aws_secret_access_key": SECRET, "region_name": "us-east-1", **more})


@pytest.fixture
def client(fault_server: S3Server) -> Iterator[Any]:
    fault_server.configure(secret_key=SECRET)
    made = _client(fault_server)
    yield made
    made.close()


@pytest.fixture
def http(fault_server: S3Server) -> Iterator[urllib3.PoolManager]:
    """Bare HTTP, with no signature to hide behind."""
    with urllib3.PoolManager(retries=False) as pool:
        yield pool


def _code(error: pytest.ExceptionInfo[ClientError]) -> str:
    return str(error.value.response["Error"]["Code"])


def test_put_get_head_delete(client: Any) -> None:
    client.put_object(Bucket="bucket", Key="a", Body=b"content", ContentType="text/plain", ContentEncoding="br",
                      Metadata={"color": "red"})
    got = client.get_object(Bucket="bucket", Key="a")
    assert got["Body"].read() == b"content"
    head = client.head_object(Bucket="bucket", Key="a")
    assert (head["ContentLength"], head["ContentType"], head["ContentEncoding"], head["Metadata"]) == (
        7, "text/plain", "br", {"color": "red"})
    client.delete_object(Bucket="bucket", Key="a")
    with pytest.raises(ClientError) as missing:
        client.get_object(Bucket="bucket", Key="a")
    assert _code(missing) == "NoSuchKey"


def test_buckets(client: Any) -> None:
    client.create_bucket(Bucket="second")
    assert {found["Name"] for found in client.list_buckets()["Buckets"]} == {"bucket", "second"}
    client.delete_bucket(Bucket="second")
    with pytest.raises(ClientError) as missing:
        client.list_objects_v2(Bucket="second")
    assert _code(missing) == "NoSuchBucket"


@pytest.mark.parametrize(("wanted", "status", "body", "content_range"), [
    ("bytes=2-4", 206, b"234", "bytes 2-4/10"),
    ("bytes=7-", 206, b"789", "bytes 7-9/10"),
    ("bytes=-3", 206, b"789", "bytes 7-9/10"),
    ("bytes=-30", 206, b"0123456789", "bytes 0-9/10"),
    ("bytes=8-100", 206, b"89", "bytes 8-9/10"),
    ("bytes=5-2", 200, b"0123456789", None),
    ("lines=1-2", 200, b"0123456789", None),
    ("bytes=10-", 416, None, "bytes */10"),
    ("bytes=-0", 416, None, "bytes */10"),
])
def test_ranges(fault_server: S3Server, http: urllib3.PoolManager, wanted: str, status: int, body: bytes | None,
                content_range: str | None) -> None:
    fault_server.put("a", b"0123456789")
    answer = http.request("GET", f"{fault_server.url}/bucket/a", headers={"Range": wanted})
    assert (answer.status, answer.headers.get("Content-Range")) == (status, content_range)
    assert body is None or answer.data == body


def test_conditions(client: Any, fault_server: S3Server) -> None:
    etag = client.put_object(Bucket="bucket", Key="a", Body=b"1", IfNoneMatch="*")["ETag"]
    for refused in ({"IfNoneMatch": "*"}, {"IfMatch": '"other"'}):
        with pytest.raises(ClientError) as error:
            client.put_object(Bucket="bucket", Key="a", Body=b"2", **refused)
        assert _code(error) == "PreconditionFailed"
    with pytest.raises(ClientError) as error:
        client.put_object(Bucket="bucket", Key="absent", Body=b"2", IfMatch=etag)
    assert _code(error) == "NoSuchKey"
    with pytest.raises(ClientError) as error:
        client.get_object(Bucket="bucket", Key="a", IfNoneMatch=etag)
    assert _code(error) == "304"
    client.put_object(Bucket="bucket", Key="a", Body=b"3", IfMatch=etag)
    assert fault_server.contents() == {"a": b"3"}


def test_listing_pages_with_delimiter_prefix_and_start(client: Any, fault_server: S3Server) -> None:
    names = [f"{group}/{n}" for group in "abc" for n in range(5)] + ["a.txt", "top"]
    fault_server.put_many(dict.fromkeys(names, b"x"))
    pager = client.get_paginator("list_objects_v2")

    def listed(**query: Any) -> list[str]:
        pages = list(pager.paginate(Bucket="bucket", PaginationConfig={"PageSize": 2}, **query))
        assert all(page["KeyCount"] <= 2 for page in pages)
        return [found.get("Key") or found["Prefix"] for page in pages
                for found in page.get("Contents", []) + page.get("CommonPrefixes", [])]

    assert listed() == sorted(names)
    assert sorted(listed(Delimiter="/")) == ["a.txt", "a/", "b/", "c/", "top"]
    assert listed(Prefix="b/", Delimiter="/") == [f"b/{n}" for n in range(5)]
    assert listed(StartAfter="c/2") == ["c/3", "c/4", "top"]
    assert sorted(listed(StartAfter="b/1", Delimiter="/")) == ["b/", "c/", "top"]
    assert listed(Prefix="nothing") == []


def test_bulk_delete_reports_each_key(client: Any, fault_server: S3Server) -> None:
    fault_server.put_many(dict.fromkeys("abc", b"x"))
    fault_server.configure(delete_errors={"b": "AccessDenied"})
    answer = client.delete_objects(Bucket="bucket", Delete={"Objects": [{"Key": key} for key in "abcd"]})
    assert sorted(found["Key"] for found in answer["Deleted"]) == ["a", "c", "d"]
    assert [(found["Key"], found["Code"]) for found in answer["Errors"]] == [("b", "AccessDenied")]
    assert fault_server.contents() == {"b": b"x"}


def test_bulk_delete_needs_a_digest(fault_server: S3Server, http: urllib3.PoolManager) -> None:
    body = b"<Delete><Object><Key>a</Key></Object></Delete>"
    assert http.request("POST", f"{fault_server.url}/bucket?delete", body=body).status == 400
    digest = {"Content-MD5": checksum("md5", body)}
    assert http.request("POST", f"{fault_server.url}/bucket?delete", body=body, headers=digest).status == 200


def _upload(client: Any, parts: list[bytes], **create: Any) -> Any:
    upload = client.create_multipart_upload(Bucket="bucket", Key="big", **create)["UploadId"]
    etags = [client.upload_part(Bucket="bucket", Key="big", UploadId=upload, PartNumber=n, Body=part)["ETag"]
             for n, part in enumerate(parts, 1)]
    listed = client.list_parts(Bucket="bucket", Key="big", UploadId=upload)["Parts"]
    assert [part["Size"] for part in listed] == [len(part) for part in parts]
    return client.complete_multipart_upload(Bucket="bucket", Key="big", UploadId=upload, MultipartUpload={
        "Parts": [{"PartNumber": n, "ETag": etag} for n, etag in enumerate(etags, 1)]})


def test_multipart(client: Any, fault_server: S3Server) -> None:
    parts = [b"a" * 1000, b"b" * 1000, b"c"]
    etag = _upload(client, parts, ContentType="text/plain")["ETag"]
    digests = b"".join(hashlib.md5(part).digest() for part in parts)
    assert etag == f'"{hashlib.md5(digests).hexdigest()}-3"'
    assert fault_server.contents() == {"big": b"".join(parts)}
    assert client.head_object(Bucket="bucket", Key="big")["ContentType"] == "text/plain"
    assert fault_server.uploads() == []


def test_multipart_refusals(client: Any, fault_server: S3Server) -> None:
    fault_server.configure(min_part_size=10)
    with pytest.raises(ClientError) as error:
        _upload(client, [b"small", b"last"])
    assert _code(error) == "EntityTooSmall"
    upload = client.list_multipart_uploads(Bucket="bucket")["Uploads"][0]["UploadId"]
    with pytest.raises(ClientError) as error:
        client.complete_multipart_upload(Bucket="bucket", Key="big", UploadId=upload, MultipartUpload={
            "Parts": [{"PartNumber": 1, "ETag": "other"}]})
    assert _code(error) == "InvalidPart"
    client.abort_multipart_upload(Bucket="bucket", Key="big", UploadId=upload)
    assert fault_server.uploads() == []


def test_completion_may_fail_in_a_200(client: Any, fault_server: S3Server) -> None:
    fault_server.script(Rule(error_in_200(), method="POST", query="uploadId="))
    with pytest.raises(ClientError) as error:
        _upload(client, [b"part"])
    assert _code(error) in ("InternalError", "500")
    assert fault_server.contents() == {}


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_checksums_are_kept_and_given_when_asked_for(client: Any, algorithm: str) -> None:
    name = f"Checksum{algorithm.upper()}"
    client.put_object(Bucket="bucket", Key="a", Body=b"content", ChecksumAlgorithm=algorithm.upper())
    assert client.head_object(Bucket="bucket", Key="a", ChecksumMode="ENABLED")[name] == checksum(algorithm, b"content")
    got = client.get_object(Bucket="bucket", Key="a", ChecksumMode="ENABLED")
    assert (got[name], got["Body"].read()) == (checksum(algorithm, b"content"), b"content")


def test_checksums_are_not_given_unasked(fault_server: S3Server, http: urllib3.PoolManager) -> None:
    fault_server.put("a", b"content", checksums=["crc32c"])
    url, ask = f"{fault_server.url}/bucket/a", {"x-amz-checksum-mode": "ENABLED"}
    given = http.request("GET", url, headers=ask).headers
    assert given["x-amz-checksum-crc32c"] == checksum("crc32c", b"content")
    assert "x-amz-checksum-crc32c" not in http.request("GET", url).headers
    assert "x-amz-checksum-crc32c" not in http.request("GET", url, headers={**ask, "Range": "bytes=1-2"}).headers


@pytest.mark.parametrize(("header", "value"), [
    ("Content-MD5", base64.b64encode(hashlib.md5(b"other").digest()).decode()),
    *((f"x-amz-checksum-{name}", checksum(name, b"other")) for name in ALGORITHMS),
    ("x-amz-content-sha256", hashlib.sha256(b"other").hexdigest()),
])
def test_a_wrong_digest_of_an_upload_is_refused(fault_server: S3Server, http: urllib3.PoolManager, header: str,
                                                value: str) -> None:
    answer = http.request("PUT", f"{fault_server.url}/bucket/a", body=b"content", headers={header: value})
    assert answer.status == 400
    assert fault_server.contents() == {}


def test_a_flipped_upload_is_refused_by_its_digest(fault_server: S3Server, http: urllib3.PoolManager) -> None:
    fault_server.script(Rule(FlipBit(3)))
    url, headers = f"{fault_server.url}/bucket/a", {"Content-MD5": checksum("md5", b"content")}
    assert b"BadDigest" in http.request("PUT", url, body=b"content", headers=headers).data
    assert http.request("PUT", url, body=b"content", headers=headers).status == 200
    assert fault_server.contents() == {"a": b"content"}


# ---- signatures


@pytest.mark.parametrize(("settings", "code"), [
    ({"aws_secret_access_key": "wrong"}, "SignatureDoesNotMatch"),
    ({"aws_access_key_id": "AKIAOTHER"}, "InvalidAccessKeyId"),
    ({"region_name": "eu-west-1"}, "AuthorizationHeaderMalformed"),
])
def test_wrong_signature(client: Any, fault_server: S3Server, settings: dict[str, str], code: str) -> None:
    wrong = _client(fault_server, **settings)
    with pytest.raises(ClientError) as error:
        wrong.put_object(Bucket="bucket", Key="a", Body=b"x")
    assert _code(error) == code
    wrong.close()


def test_session_token_clock_and_region(client: Any, fault_server: S3Server) -> None:
    fault_server.configure(session_token="token")
    with pytest.raises(ClientError) as error:
        client.list_objects_v2(Bucket="bucket")
    assert _code(error) == "InvalidToken"
    fault_server.configure(session_token=None, clock_offset=3600)
    with pytest.raises(ClientError) as error:
        client.list_objects_v2(Bucket="bucket")
    assert _code(error) == "RequestTimeTooSkewed"
    fault_server.configure(clock_offset=0, bucket_regions={"bucket": "eu-west-1"})
    with pytest.raises(ClientError) as error:
        client.get_object(Bucket="bucket", Key="a")
    assert error.value.response["ResponseMetadata"]["HTTPHeaders"]["x-amz-bucket-region"] == "eu-west-1"


def test_presigned(client: Any, fault_server: S3Server, http: urllib3.PoolManager,
                   monkeypatch: pytest.MonkeyPatch) -> None:
    key = "a +b/\u00e9?x=1&y"
    fault_server.put(key, b"content")
    signer = boto3.client("s3", endpoint_url=fault_server.url, region_name="us-east-1", config=Config(
        signature_version="s3v4", s3={"addressing_style": "path"}),
        aws_access_key_id="AKIAEXAMPLE0000", aws_secret_access_key=SECRET)
    url = signer.generate_presigned_url("get_object", Params={"Bucket": "bucket", "Key": key}, ExpiresIn=60)
    assert http.request("GET", url).data == b"content"
    assert http.request("GET", url[:-1] + ("0" if url[-1] != "0" else "1")).status == 403
    fault_server.configure(clock_offset=120)
    assert b"expired" in http.request("GET", url).data
    signer.close()


def test_unsigned_is_refused_once_a_secret_is_set(client: Any, fault_server: S3Server,
                                                  http: urllib3.PoolManager) -> None:
    fault_server.put("a", b"x")
    assert http.request("GET", f"{fault_server.url}/bucket/a").status == 403


# ---- addressing


def test_virtual_hosted(fault_server: S3Server, http: urllib3.PoolManager) -> None:
    fault_server.put("a/b", b"content")
    headers = {"Host": f"bucket.localhost:{fault_server.port}"}
    assert http.request("GET", f"{fault_server.url}/a/b", headers=headers).data == b"content"


def test_a_bare_plus_is_a_space(fault_server: S3Server, http: urllib3.PoolManager) -> None:
    fault_server.put_many({"a+b": b"plus", "a b": b"space"})
    assert http.request("GET", f"{fault_server.url}/bucket/a+b").data == b"space"
    assert http.request("GET", f"{fault_server.url}/bucket/a%2Bb").data == b"plus"


def test_pages_are_plain_http(fault_server: S3Server, http: urllib3.PoolManager) -> None:
    fault_server.put_page("dir/page+1", b"page", headers={"content-type": "text/plain"})
    answer = http.request("GET", f"{fault_server.url}/dir/page+1")
    assert (answer.data, answer.headers["Content-Type"]) == (b"page", "text/plain")
    assert http.request("GET", f"{fault_server.url}/absent").data == b"not found\n"
    assert http.request("PUT", f"{fault_server.url}/dir/page", body=b"x").status == 405


def test_dates_follow_the_servers_clock(fault_server: S3Server, http: urllib3.PoolManager) -> None:
    from email.utils import parsedate_to_datetime

    fault_server.configure(clock_offset=86400)
    date = http.request("GET", f"{fault_server.url}/x").headers["Date"]
    assert 86_000 < parsedate_to_datetime(date).timestamp() - time.time() < 87_000
