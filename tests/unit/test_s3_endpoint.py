"""Where buckets are."""

from __future__ import annotations

import pytest

from cloudfiles.exceptions import InvalidPathError
from cloudfiles.interfaces.s3.endpoint import Endpoint, find_endpoint
from tests.internals import Replace


@pytest.fixture(autouse=True)
def _nothing_learned(internals: Replace) -> None:
    internals(bucket_regions={})


def shown(found: Endpoint) -> tuple[str, str, str]:
    return str(found.origin), found.base, found.region


@pytest.mark.parametrize(("bucket", "url", "region", "expected"), [
    # AWS: the bucket is in the host's name, but for names that the certificate does not cover
    ("bucket", None, None, ("https://bucket.s3.us-east-1.amazonaws.com", "/", "us-east-1")),
    ("bucket", None, "eu-west-3", ("https://bucket.s3.eu-west-3.amazonaws.com", "/", "eu-west-3")),
    ("bucket", None, "us-gov-west-1", ("https://bucket.s3.us-gov-west-1.amazonaws.com", "/", "us-gov-west-1")),
    ("bucket", None, "cn-north-1", ("https://bucket.s3.cn-north-1.amazonaws.com.cn", "/", "cn-north-1")),
    ("with.dots", None, "eu-west-3", ("https://s3.eu-west-3.amazonaws.com", "/with.dots/", "eu-west-3")),
    ("Upper_case", None, None, ("https://s3.us-east-1.amazonaws.com", "/Upper_case/", "us-east-1")),
    # AWS by its address
    ("bucket", "https://s3.amazonaws.com", None, ("https://bucket.s3.us-east-1.amazonaws.com", "/", "us-east-1")),
    ("bucket", "https://s3-eu-west-1.amazonaws.com", None,
     ("https://bucket.s3.eu-west-1.amazonaws.com", "/", "eu-west-1")),
    ("bucket", "https://s3.dualstack.eu-west-1.amazonaws.com", "eu-west-1",
     ("https://bucket.s3.dualstack.eu-west-1.amazonaws.com", "/", "eu-west-1")),
    # others: the bucket is in the path
    ("bucket", "https://example.com", None, ("https://example.com", "/bucket/", "us-east-1")),
    ("bucket", "http://127.0.0.1:9000/", "here", ("http://127.0.0.1:9000", "/bucket/", "here")),
    ("bucket", "http://[::1]:9000", None, ("http://[::1]:9000", "/bucket/", "us-east-1")),
    ("bucket", "https://example.com/s3/", None, ("https://example.com", "/s3/bucket/", "us-east-1")),
    ("bucket", "https://s3.us-west-002.backblazeb2.com", None,
     ("https://s3.us-west-002.backblazeb2.com", "/bucket/", "us-west-002")),
    ("bucket", "https://notamazonaws.com", None, ("https://notamazonaws.com", "/bucket/", "us-east-1")),
])
def test_endpoints_of_buckets(bucket: str, url: str | None, region: str | None, expected: tuple[str, str, str]) -> None:
    assert shown(find_endpoint(bucket, url, region)) == expected


@pytest.mark.parametrize(("url", "is_aws"), [
    (None, True), ("https://s3.eu-west-1.amazonaws.com", True), ("https://amazonaws.com.example.com", False),
    ("https://evil-amazonaws.com", False)])
def test_what_is_aws(url: str | None, is_aws: bool) -> None:
    assert find_endpoint("bucket", url, None).is_aws is is_aws


def test_a_region_learned_moves_the_bucket_for_the_process() -> None:
    moved = find_endpoint("bucket", None, "us-east-1").in_region("eu-west-3")
    assert shown(moved) == ("https://bucket.s3.eu-west-3.amazonaws.com", "/", "eu-west-3")
    assert find_endpoint("bucket", None, "us-east-1") == moved
    assert find_endpoint("other", None, "us-east-1").region == "us-east-1"


def test_the_scheme_and_port_stay_in_another_region() -> None:
    moved = find_endpoint("bucket", "http://s3.us-east-1.amazonaws.com:8080", None).in_region("eu-west-3")
    assert str(moved.origin) == "http://bucket.s3.eu-west-3.amazonaws.com:8080"


@pytest.mark.parametrize(("bucket", "url", "target"), [
    ("bucket", None, "/"), ("with.dots", None, "/with.dots"), ("bucket", "http://example.com/s3", "/s3/bucket")])
def test_the_bucket_itself(bucket: str, url: str | None, target: str) -> None:
    assert find_endpoint(bucket, url, None).bucket_target == target


@pytest.mark.parametrize("url", ["example.com", "ftp://example.com", "https://", "https://host:port"])
def test_what_is_no_address(url: str) -> None:
    with pytest.raises(InvalidPathError):
        find_endpoint("bucket", url, None)
