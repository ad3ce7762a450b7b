"""Buckets and containers that are missing, and servers without requests of many: on every cloud."""

from __future__ import annotations

import base64
import logging
from collections.abc import Callable
from typing import Any

import pytest

from cloudfiles import CloudFiles
from cloudfiles.exceptions import CloudFilesError, ServerError
from cloudfiles.testing import Rule, S3Server, Status, s3_error
from tests.internals import Replace
from tests.servers.azure_server import AzureServer
from tests.servers.gcs_server import GcsServer, json_error

pytestmark = pytest.mark.one_runtime

KEY = base64.b64encode(b"an account's key" * 4).decode()
UNIT = 256 * 1024
KEYS = [f"key{number}" for number in range(7)]


@pytest.fixture
def azure_server(azure_server: AzureServer) -> AzureServer:
    azure_server.configure(key=KEY)
    return azure_server


Make = Callable[[str], CloudFiles]


@pytest.fixture
def gs(gcs_server: GcsServer, green: bool) -> Make:
    return lambda bucket: CloudFiles(f"gs://{gcs_server.url}/{bucket}/", green=green, num_threads=1,
                                     composite_upload_threshold=UNIT)


@pytest.fixture
def az(azure_server: AzureServer, green: bool) -> Make:
    return lambda container: CloudFiles(f"az://{container}/", endpoint=azure_server.endpoint, green=green,
                                        num_threads=1, secrets={"account_name": "account", "account_key": KEY})


@pytest.fixture
def s3(fault_server: S3Server, green: bool) -> Make:
    return lambda bucket: CloudFiles(f"s3://{fault_server.url}/{bucket}/", green=green, num_threads=1,
                                     secrets=fault_server.secrets, composite_upload_threshold=UNIT)


def server_of(request: pytest.FixtureRequest, cloud: str) -> Any:
    return request.getfixturevalue({"gs": "gcs_server", "az": "azure_server", "s3": "fault_server"}[cloud])


# ---- a bucket that is missing


USES: dict[str, Callable[[CloudFiles], object]] = {
    "get": lambda cf: cf.get("key"), "range": lambda cf: cf["key", 1:3], "suffix": lambda cf: cf["key", -3:],
    "exists": lambda cf: cf.exists("key"), "head": lambda cf: cf.head("key"), "size": lambda cf: cf.size("key"),
    "list": lambda cf: list(cf.list()), "put": lambda cf: cf.put("key", b"content"),
    "many": lambda cf: cf.get(KEYS), "delete": lambda cf: cf.delete("key"), "delete many": lambda cf: cf.delete(KEYS)}

GS_WORDS = ["The specified bucket does not exist.", "Bucket {bucket} does not exist.", "Not Found", "",
            "{{bucket}} <nothing>"]


@pytest.mark.parametrize("use", USES.values(), ids=USES)
@pytest.mark.parametrize("words", GS_WORDS)
def test_a_missing_bucket_of_gs(gs: Make, gcs_server: GcsServer, words: str, use: Callable[[CloudFiles], object]
                                ) -> None:
    gcs_server.configure(no_bucket=words)
    with pytest.raises(ServerError, match="the bucket 'nowhere' does not exist") as raised:
        use(gs("nowhere"))
    assert raised.value.code == "NoSuchBucket"


@pytest.mark.parametrize("words", ["No such object: {bucket}/{name}", "Not Found", "The specified key does not exist."])
def test_a_missing_object_of_gs(gs: Make, gcs_server: GcsServer, words: str) -> None:
    gcs_server.configure(no_object=words)
    cf = gs("bucket")
    for once_more in (False, True):
        gcs_server.forget()
        assert cf.get("key") is None
        assert cf.head("key") is cf.size("key") is None
        assert cf.exists("key") is False
        assert cf["key", 1:3] is None
        assert cf.delete(["key", "other"]) == 2
        asked = [request for request in gcs_server.requests() if request.target.startswith("/storage/v1/b/bucket?")]
        assert bool(asked) is not (once_more or words.startswith("No such object"))


@pytest.mark.parametrize("answer", [json_error(403, "forbidden"), json_error(401, "required")], ids=["403", "401"])
def test_a_bucket_that_may_not_be_looked_at_is_taken_to_be_there(gs: Make, gcs_server: GcsServer, answer: Any) -> None:
    gcs_server.configure(no_object="Not Found")
    gcs_server.script(Rule(answer, query="fields=name", times=None))
    assert gs("bucket").get("key") is None


@pytest.mark.parametrize("use", USES.values(), ids=USES)
@pytest.mark.parametrize("terse", [False, True], ids=["code", "no code"])
def test_a_missing_container(az: Make, azure_server: AzureServer, terse: bool, use: Callable[[CloudFiles], object]
                             ) -> None:
    azure_server.configure(terse=terse)
    with pytest.raises(ServerError, match="404|the container 'nowhere' does not exist" if terse else
                       "the container 'nowhere' does not exist"):
        use(az("nowhere"))


@pytest.mark.parametrize("terse", [False, True], ids=["code", "no code"])
def test_a_missing_blob(az: Make, azure_server: AzureServer, terse: bool) -> None:
    azure_server.configure(terse=terse)
    cf = az("container")
    for once_more in (False, True):
        azure_server.forget()
        assert cf.get("key") is cf.head("key") is cf.size("key") is cf["key", 1:3] is None
        assert cf.exists("key") is False
        assert cf.delete(["key", "other"]) == 2
        asked = [request for request in azure_server.requests("HEAD") if "restype=container" in request.target]
        assert bool(asked) is (terse and not once_more)


@pytest.mark.parametrize("use", USES.values(), ids=USES)
@pytest.mark.parametrize("answer", [s3_error(404, "NoSuchBucket"), Status(404), Status(404, (), b"<html>nothing here")],
                         ids=["code", "no code", "page"])
def test_a_missing_bucket_of_s3(s3: Make, fault_server: S3Server, answer: Any, use: Callable[[CloudFiles], object]
                                ) -> None:
    fault_server.script(Rule(answer, times=None))
    with pytest.raises(ServerError, match=r"the bucket 'nowhere' does not exist|404"):
        use(s3("nowhere"))


def test_a_missing_object_of_s3_that_nothing_names(s3: Make, fault_server: S3Server) -> None:
    fault_server.script(Rule(Status(404), prefix="key", times=None))
    cf = s3("bucket")
    for once_more in (False, True):
        fault_server.forget()
        assert cf.get("key") is cf.head("key") is cf["key", 1:3] is None
        assert cf.exists("key") is False
        assert cf.delete("key") == 1
        asked = [request for request in fault_server.requests("HEAD") if not request.key]
        assert bool(asked) is not once_more


# ---- servers that delete one object a request


@pytest.mark.parametrize("status", [404, 405, 501])
@pytest.mark.parametrize("cloud", ["gs", "az", "s3"])
def test_deletes_go_one_by_one(request: pytest.FixtureRequest, green: bool, cloud: str, status: int) -> None:
    server = server_of(request, cloud)
    cf: CloudFiles = request.getfixturevalue(cloud)("container" if cloud == "az" else "bucket")
    cf.puts([(key, b"content") for key in KEYS])
    server.forget()
    server.script(Rule(Status(status), method="POST", times=None))
    assert cf.delete(KEYS[:4]) == 4
    assert sorted(cf.list()) == KEYS[4:]
    assert cf.delete(KEYS[4:]) == 3
    assert list(cf.list()) == []
    assert len(server.requests("POST")) == 1  # remembered
    assert len(server.requests("DELETE")) == 7


@pytest.mark.parametrize("cloud", ["az", "s3"])
def test_a_404_of_the_batch_url_is_no_404_of_its_items(request: pytest.FixtureRequest, green: bool, cloud: str) -> None:
    server = server_of(request, cloud)
    cf: CloudFiles = request.getfixturevalue(cloud)("nowhere")
    with pytest.raises(CloudFilesError, match=r"the (bucket|container) 'nowhere' does not exist"):
        cf.delete(KEYS)
    assert server.requests("DELETE") == []


# ---- what could not be removed


@pytest.fixture
def _small_parts(internals: Replace) -> None:
    internals(gs_part=UNIT, s3_part=UNIT)


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records
            if record.name == "cloudfiles" and record.levelno == logging.WARNING]


@pytest.mark.usefixtures("_small_parts")
@pytest.mark.parametrize("refusal", [json_error(403, "forbidden"), Status(501)], ids=["batch", "each"])
def test_parts_that_stay_are_named(gs: Make, gcs_server: GcsServer, caplog: pytest.LogCaptureFixture, refusal: Any
                                   ) -> None:
    gcs_server.script(Rule(refusal, method="POST", key="", times=None),
                      Rule(json_error(403, "forbidden"), method="DELETE", times=None))
    gs("bucket").put("key", bytes(3 * UNIT))
    parts = sorted(key for key in gcs_server.contents() if key != "key")
    assert len(parts) == 3
    (message,) = warnings(caplog)
    assert "gs://bucket/key: 3 parts of the upload could not be removed" in message
    assert all(part in message for part in parts)


@pytest.mark.usefixtures("_small_parts")
def test_parts_that_never_were_are_not(gs: Make, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(ServerError):
        gs("nowhere").put("key", bytes(3 * UNIT))
    assert warnings(caplog) == []


@pytest.mark.usefixtures("_small_parts")
@pytest.mark.parametrize("code", ["AccessDenied", "NoSuchUpload"])
def test_an_upload_that_was_not_aborted_is_named(s3: Make, fault_server: S3Server, code: str,
                                                 caplog: pytest.LogCaptureFixture) -> None:
    fault_server.script(Rule(s3_error(403, "AccessDenied"), method="PUT", query="partNumber=2", times=None),
                        Rule(s3_error(404 if code == "NoSuchUpload" else 403, code), method="DELETE", times=None))
    with pytest.raises(CloudFilesError):
        s3("bucket").put("key", bytes(3 * UNIT))
    if code == "NoSuchUpload":
        assert warnings(caplog) == []
    else:
        (message,) = warnings(caplog)
        assert "s3://bucket/key: the multipart upload " in message
        assert "could not be aborted" in message
