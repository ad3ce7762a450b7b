"""The table of nasty keys says the truth about the servers, as another client sees them."""

from __future__ import annotations

from typing import Any

import boto3
import pytest
from botocore.config import Config

from cloudfiles.testing import S3Server
from tests.conformance.nasty_keys import CANNOT_HOLD, KEYS, keys_for


def _server(name: str, request: pytest.FixtureRequest) -> tuple[str, str]:
    """Endpoint and a bucket."""
    server: Any = request.getfixturevalue(name)
    if isinstance(server, S3Server):
        server.configure(secret_key="secretkey1234567")
        return server.url, server.bucket
    return server.url, server.make_bucket()


@pytest.mark.parametrize(("name", "known_as"), [("fault_server", "scripted"), ("moto_s3", "moto"),
                                                ("rclone_s3", "rclone")])
def test_server_holds_every_key_that_it_is_said_to(name: str, known_as: str,
                                                   request: pytest.FixtureRequest) -> None:
    endpoint, bucket = _server(name, request)
    client = boto3.client("s3", endpoint_url=endpoint, aws_access_key_id="AKIAEXAMPLE0000", region_name="us-east-1",
                          aws_secret_access_key="secretkey1234567", config=Config(s3={"addressing_style": "path"}))
    keys = [entry.key for entry in keys_for(known_as)]
    for key in keys:
        client.put_object(Bucket=bucket, Key=key, Body=key.encode())
    assert {key: client.get_object(Bucket=bucket, Key=key)["Body"].read() for key in keys} == {
        key: key.encode() for key in keys}
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket, PaginationConfig={"PageSize": 7})
    listed = [found["Key"] for page in pages for found in page["Contents"]]
    assert listed == sorted(keys, key=str.encode)
    client.close()


def test_keys_are_distinct_and_fit_s3() -> None:
    assert len(set(KEYS)) == len(KEYS)
    assert all(0 < len(key.encode()) <= 1024 for key in KEYS)


def test_exceptions_name_keys_of_the_table() -> None:
    assert {key for reasons in CANNOT_HOLD.values() for key in reasons} <= set(KEYS)
