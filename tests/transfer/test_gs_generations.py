"""Objects of `gs://` that take several requests: pinned by their generation, whatever the ETags say."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pytest

from cloudfiles import CloudFiles, ResumableTransfer, download_file
from cloudfiles.exceptions import ObjectChangedError
from cloudfiles.testing import Replaced, ResetInBody, Rule
from cloudfiles.testing.s3_objects import make_object
from tests.contents import numbered
from tests.internals import PART, Replace
from tests.selection import some
from tests.servers.gcs_server import GcsServer
from tests.transfer.conftest import MIB, execute_until_broken, tree

pytestmark = pytest.mark.one_runtime

BIG = numbered(PART * 17 // 8)  # three parts
OTHER = numbered(len(BIG), 1 << 30)

NO_GENERATION = {"media_etag": "none", "media_hidden": ("x-goog-generation",)}

ANSWERS: dict[str, dict[str, Any]] = {
    "resource's ETag": {}, "quoted": {"media_etag": "quoted"}, "md5": {"media_etag": "md5"},
    "no ETag": {"media_etag": "none"}, "neither ETag nor generation": NO_GENERATION,
    "nothing stored": {"media_etag": "none", "media_hidden": ("x-goog-stored-content-encoding",
                                                              "x-goog-stored-content-length", "x-goog-hash")},
    "no size": {"media_etag": "none", "media_hidden": ("x-goog-stored-content-length",)},
    "metadata changes": {"changes_metadata": True}, "metadata changes, no ETag": {
        "changes_metadata": True, "media_etag": "none"}}


@pytest.fixture
def gs(gcs_server: GcsServer, green: bool) -> CloudFiles:
    return CloudFiles(f"gs://{gcs_server.url}/bucket/", green=green)


def media(server: GcsServer) -> list[Any]:
    return [request for request in server.requests("GET") if "alt=media" in request.target]


@pytest.mark.parametrize("answers", some(ANSWERS, ["no ETag", "neither ETag nor generation", "metadata changes"]))
def test_every_part_asks_for_one_generation(gs: CloudFiles, gcs_server: GcsServer, disk: CloudFiles,
                                            answers: str) -> None:
    gcs_server.put("big", BIG)
    gcs_server.configure(**ANSWERS[answers])
    assert gs.transfer_to(disk, "big").ways == {"parts": 1}
    assert disk.get("big") == BIG
    parts = [request for request in media(gcs_server) if request.header("range")]
    assert len({request.header("range") for request in parts}) == 3  # a slow one may be sent twice
    generation = gcs_server.generation("big")
    assert all(f"ifGenerationMatch={generation}" in request.target for request in parts)


@pytest.mark.parametrize("answers", [{"media_etag": "none"}, {"media_etag": "none", "ignores_conditions": True}],
                         ids=["412", "conditions ignored"])
def test_a_source_replaced_meanwhile_is_read_again(gs: CloudFiles, gcs_server: GcsServer, disk: CloudFiles,
                                                   answers: dict[str, Any]) -> None:
    gcs_server.put("big", BIG)
    gcs_server.configure(**answers)
    gcs_server.script(Rule(Replaced(make_object(OTHER)), method="GET", query="ifGenerationMatch", times=1))
    gs.transfer_to(disk, "big")
    assert disk.get("big") == OTHER


def test_one_replaced_again_and_again_is_no_mixture(gs: CloudFiles, gcs_server: GcsServer, disk: CloudFiles,
                                                    tmp_path: Path) -> None:
    gcs_server.put("big", BIG)
    gcs_server.configure(media_etag="none")
    states = [make_object(bytes([n]) * len(BIG)) for n in range(12)]
    gcs_server.script(*(Rule(Replaced(state), method="GET", query="ifGenerationMatch") for state in states))
    with pytest.raises(ObjectChangedError, match="target is unchanged"):
        gs.transfer_to(disk, "big")
    assert tree(tmp_path) == {}


@pytest.mark.parametrize("answers", [ANSWERS["no ETag"], ANSWERS["metadata changes"], ANSWERS["nothing stored"]],
                         ids=["no ETag", "metadata changes", "nothing stored"])
def test_a_broken_stream_resumes_where_it_was(gs: CloudFiles, gcs_server: GcsServer, answers: dict[str, Any]) -> None:
    content = numbered(3 * MIB)
    gcs_server.put("key", content)
    gcs_server.configure(**answers)
    gcs_server.script(Rule(ResetInBody(2 * MIB), method="GET", times=1), Rule(ResetInBody(MIB >> 1), method="GET"))
    assert gs.get("key") == content
    assert [request.header("range") for request in media(gcs_server)] == [
        None, f"bytes={2 * MIB}-", f"bytes={(2 * MIB) + (MIB >> 1)}-{len(content) - 1}"]


@pytest.mark.parametrize("answers", some(["no ETag", "metadata changes"], ["metadata changes"]))
def test_a_slow_body_is_divided(gs: CloudFiles, gcs_server: GcsServer, answers: str,
                                internals: Replace) -> None:
    clock = itertools.count(1.0)
    internals(throughput_clock=lambda: next(clock), parallel_read_bytes=2 * MIB, throughput_warm_up=MIB,
              parallel_read_remaining=MIB, parallel_read_part=MIB)
    content = numbered(17 * MIB)
    gcs_server.put("key", content)
    gcs_server.configure(**ANSWERS[answers])
    gcs_server.script(Rule(ResetInBody(5000), method="GET", skip=2))
    assert gs.get("key") == content
    _, *rest = media(gcs_server)
    assert len(rest) > 2
    assert all("ifGenerationMatch" in request.target for request in rest)


@pytest.mark.parametrize("answers", some(["no ETag", "metadata changes", "neither ETag nor generation"], ["no ETag"]))
def test_files_are_downloaded_in_chunks(gcs_server: GcsServer, tmp_path: Path, answers: str) -> None:
    gcs_server.put("big", BIG)
    gcs_server.configure(**ANSWERS[answers])
    download_file(f"gs://{gcs_server.url}/bucket/big", tmp_path / "big", chunk_size=PART)
    assert (tmp_path / "big").read_bytes() == BIG
    gcs_server.script(Rule(Replaced(make_object(OTHER)), method="GET", query="ifGenerationMatch", skip=1, times=1))
    download_file(f"gs://{gcs_server.url}/bucket/big", tmp_path / "big", chunk_size=PART)
    assert (tmp_path / "big").read_bytes() == OTHER


@pytest.mark.parametrize("answers", some(["no ETag", "metadata changes"], ["metadata changes"]))
def test_a_killed_transfer_continues_though_the_metadata_changed(
        gs: CloudFiles, gcs_server: GcsServer, s3: CloudFiles, tmp_path: Path, internals: Replace,
        answers: str) -> None:
    internals(journal_pause=0.0)
    gcs_server.put("big", BIG)
    gcs_server.configure(**ANSWERS[answers])
    rt = ResumableTransfer(tmp_path / "journal.db")
    rt.init(gs, s3, [("big", "copy")])
    execute_until_broken(rt, 2)
    gcs_server.forget()
    assert rt.execute(failed=True).done == 1
    assert s3.get("copy") == BIG
    assert len([request for request in media(gcs_server) if request.header("range")]) == 1


def test_of_a_killed_transfer_nothing_is_kept_of_other_content(
        gs: CloudFiles, gcs_server: GcsServer, s3: CloudFiles, tmp_path: Path, internals: Replace) -> None:
    internals(journal_pause=0.0)
    gcs_server.put("big", BIG)
    gcs_server.configure(media_etag="none")
    rt = ResumableTransfer(tmp_path / "journal.db")
    rt.init(gs, s3, [("big", "copy")])
    execute_until_broken(rt, 2)
    gcs_server.put("big", OTHER)
    assert rt.execute(failed=True).done == 1
    assert s3.get("copy") == OTHER
