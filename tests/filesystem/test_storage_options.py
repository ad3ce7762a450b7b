"""The options of s3fs, gcsfs and adlfs."""

from __future__ import annotations

import pickle
from typing import Any

import pytest

pytest.importorskip("fsspec")

from cloudfiles.exceptions import InvalidInputError, UnsupportedOperationError
from cloudfiles.filesystem import CloudFileSystem
from cloudfiles.filesystem.storage_options import store_options

KEYS = {"AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "s3cr3t"}


@pytest.mark.parametrize(("protocol", "given", "expected"), [
    ("s3", {"anon": True}, {"no_sign_request": True}),
    ("s3", {"anon": False, "asynchronous": True, "loop": None}, {"no_sign_request": False}),
    ("s3", {"key": "id", "secret": "s3cr3t", "endpoint_url": "http://h"}, {"secrets": KEYS, "endpoint": "http://h"}),
    ("s3", {"client_kwargs": {"endpoint_url": "http://h", "aws_access_key_id": "id",
                              "aws_secret_access_key": "s3cr3t"}}, {"secrets": KEYS, "endpoint": "http://h"}),
    ("s3", {"client_kwargs": {"region_name": "eu-west-1", "verify": True}}, {}),
    ("s3", {"client_kwargs": {"verify": "/ca.pem"}}, {"ca_bundle": "/ca.pem"}),
    ("s3", {"config_kwargs": {"read_timeout": 5, "max_pool_connections": 50}},
     {"read_timeout": 5, "max_concurrency": 50}),
    ("s3", {"requester_pays": True, "default_block_size": 1, "default_cache_type": "none"},
     {"request_payer": "requester"}),
    ("s3", {"endpoint": "http://h", "num_threads": 3}, {"endpoint": "http://h", "num_threads": 3}),
    ("gs", {"token": "anon", "project": "p"}, {"no_sign_request": True}),
    ("gs", {"token": "google_default", "access": "full_control"}, {}),
    ("gs", {"token": {"type": "service_account"}}, {"secrets": {"type": "service_account"}}),
    ("az", {"account_name": "a", "account_key": "k"}, {"secrets": {"account_name": "a", "account_key": "k"}}),
    ("abfs", {"connection_string": "c"}, {"secrets": {"connection_string": "c"}}),
    ("file", {"auto_mkdir": True}, {}),
])
def test_options_of_other_file_systems(protocol: str, given: dict[str, Any], expected: dict[str, Any]) -> None:
    assert store_options(protocol, given) == expected


@pytest.mark.parametrize(("protocol", "given", "message"), [
    ("s3", {"profile": "p"}, "profile= is not supported: set AWS_PROFILE"),
    ("s3", {"version_aware": True}, "versions of objects are not supported"),
    ("s3", {"s3_additional_kwargs": {"ACL": "private"}}, "content_type="),
    ("s3", {"client_kwargs": {"verify": False}}, "ca_bundle="),
    ("s3", {"client_kwargs": {"other": 1}}, r"unknown option client_kwargs\['other'\]"),
    ("s3", {"account_name": "a"}, "unknown option account_name=; the options are those of CloudFiles: ca_bundle"),
    ("s3", {"endpoint": "http://h", "endpoint_url": "http://i"}, "contradicts"),
    ("gs", {"token": "browser"}, "secrets="),
    ("gs", {"cache_timeout": 60}, "use_listings_cache=True"),
    ("az", {"tenant_id": "t"}, "AZURE_TENANT_ID"),
    ("mem", {"anon": True}, "unknown option anon="),
])
def test_other_options_are_rejected_with_what_to_use(protocol: str, given: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        store_options(protocol, given)


def test_files_have_their_own_names() -> None:
    with pytest.raises(InvalidInputError, match="under their own names"):
        CloudFileSystem("file:///tmp", encoding_suffixes=True)
    with pytest.raises(InvalidInputError, match="expected the root"):
        CloudFileSystem()


@pytest.mark.parametrize("options", [{"secrets": KEYS}, {"key": "id", "secret": "s3cr3t"}])
def test_pickles_and_json_have_no_secrets(options: dict[str, Any]) -> None:
    fs = CloudFileSystem("s3://bucket/dir/", **options)
    again = pickle.loads(text := pickle.dumps(fs))
    assert b"s3cr3t" not in text
    assert "s3cr3t" not in repr(fs) + str(fs) + fs.fsid
    assert again._place("").cf.secrets == KEYS
    with pytest.raises(UnsupportedOperationError, match="contain secrets"):
        fs.to_json()


def test_a_cloudpath_with_a_password_is_not_pickled() -> None:
    fs = CloudFileSystem("https://user:passw0rd@data.example.org/dir/")
    again = pickle.loads(text := pickle.dumps(fs))
    assert b"passw0rd" not in text
    assert again == fs
    assert "passw0rd" not in repr(fs)


def test_instances_are_shared_by_their_options() -> None:
    import fsspec

    one = CloudFileSystem("mem://bucket/", num_threads=3)
    assert CloudFileSystem("mem://bucket/", num_threads=3) is one
    assert CloudFileSystem("mem://bucket/", num_threads=4) is not one
    assert pickle.loads(pickle.dumps(one)) is one
    assert fsspec.AbstractFileSystem.from_json(one.to_json()) is one
