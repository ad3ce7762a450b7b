"""Cloudpaths of Azure, and where their containers are."""

from __future__ import annotations

import pytest

from cloudfiles.exceptions import ConfigurationError, InvalidPathError
from cloudfiles.interfaces.azure.endpoint import account_of, find_endpoint
from cloudfiles.paths import asbucketpath, asprotocolpath, extract, join, to_https_protocol


@pytest.mark.parametrize(("cloudpath", "protocol", "host", "bucket", "path"), [
    ("az://container/a/b", "az", None, "container", "a/b"),
    ("az://$web/index.html", "az", None, "$web", "index.html"),
    ("abfs://container/a", "abfs", None, "container", "a"),
    ("abfss://c@acc.dfs.core.windows.net/a/b@c", "abfss", "https://acc.dfs.core.windows.net", "c", "a/b@c"),
    ("abfss://c@acc.dfs.core.windows.net", "abfss", "https://acc.dfs.core.windows.net", "c", ""),
    ("az://https://acc.blob.core.windows.net/c/a%20b", "az", "https://acc.blob.core.windows.net", "c", "a%20b"),
    ("https://acc.blob.core.windows.net/c/a%20b", "az", "https://acc.blob.core.windows.net", "c", "a b"),
    ("https://acc.dfs.core.chinacloudapi.cn/c/a", "az", "https://acc.dfs.core.chinacloudapi.cn", "c", "a"),
    ("https://acc.z3.blob.storage.azure.net/c", "az", "https://acc.z3.blob.storage.azure.net", "c", ""),
    ("https://acc.blob.core.windows.net/c/a?sv=1&sig=x", "https", "https://acc.blob.core.windows.net", None,
     "c/a?sv=1&sig=x"),
    ("https://acc.blob.core.windows.net/", "https", "https://acc.blob.core.windows.net", None, ""),
    ("https://acc.blob.core.windows.net.evil.org/c/a", "https", "https://acc.blob.core.windows.net.evil.org", None,
     "c/a"),
    ("https://evil.org/acc.blob.core.windows.net/c/a", "https", "https://evil.org", None,
     "acc.blob.core.windows.net/c/a")])
def test_taking_apart(cloudpath: str, protocol: str, host: str | None, bucket: str | None, path: str) -> None:
    found = extract(cloudpath)
    assert (found.protocol, found.host, found.bucket, found.path) == (protocol, host, bucket, path)
    assert extract(asprotocolpath(found)) == found


def test_putting_together() -> None:
    assert asprotocolpath(extract("abfss://c@acc.dfs.core.windows.net/a/b")) == "abfss://c@acc.dfs.core.windows.net/a/b"
    assert asbucketpath("abfss://c@acc.dfs.core.windows.net/a/b").endswith("abfss://c@acc.dfs.core.windows.net")
    assert join("abfss://c@acc.dfs.core.windows.net/a", "b") == "abfss://c@acc.dfs.core.windows.net/a/b"
    assert to_https_protocol("az://c/a") == "az://c/a"  # which account's, only the credentials tell


@pytest.mark.parametrize("cloudpath", ["az://", "abfss://@acc.dfs.core.windows.net/a", "abfss://c@/a", "az://../a"])
def test_malformed(cloudpath: str) -> None:
    with pytest.raises(InvalidPathError):
        extract(cloudpath)


@pytest.mark.parametrize(("url", "account"), [
    (None, None), ("https://acc.blob.core.windows.net", "acc"), ("https://acc.dfs.core.windows.net", "acc"),
    ("https://acc-secondary.blob.core.windows.net", "acc"), ("http://127.0.0.1:10000/dev1", "dev1"),
    ("http://azurite:10000/dev/", "dev"), ("http://[::1]:10000/dev", "dev"), ("https://storage.example.org", None),
    ("https://acc.z3.blob.storage.azure.net", "acc"), ("http://localhost:10000", None)])
def test_accounts_of_urls(url: str | None, account: str | None) -> None:
    assert account_of(url) == account


@pytest.mark.parametrize(("url", "account", "blob", "dfs", "target"), [
    (None, "acc", "https://acc.blob.core.windows.net", "https://acc.dfs.core.windows.net", "/c"),
    ("https://acc.dfs.core.windows.net", "other", "https://acc.blob.core.windows.net",
     "https://acc.dfs.core.windows.net", "/c"),
    ("https://acc-secondary.blob.core.windows.net", None, "https://acc-secondary.blob.core.windows.net",
     "https://acc-secondary.dfs.core.windows.net", "/c"),
    ("http://127.0.0.1:10000/dev/", None, "http://127.0.0.1:10000", "http://127.0.0.1:10000", "/dev/c"),
    ("https://storage.example.org", "acc", "https://storage.example.org", "https://storage.example.org", "/c")])
def test_endpoints(url: str | None, account: str | None, blob: str, dfs: str, target: str) -> None:
    found = find_endpoint("c", url, account)
    assert (str(found.origin), str(found.dfs_origin), found.container_target) == (blob, dfs, target)
    assert found.is_azure is ("core.windows.net" in blob)


def test_without_an_account() -> None:
    with pytest.raises(ConfigurationError, match=r"storage account .* is not known.*abfss://c@ACCOUNT"):
        find_endpoint("c", None, None)
