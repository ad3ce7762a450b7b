"""Every cloud as one scripted server that lies on request."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from cloudfiles.types import WriteOptions
from tests.interfaces import gs_setup, s3_setup
from tests.interfaces.azure_setup import open_azure
from tests.interfaces.clouds import KEYS, Cloud
from tests.interfaces.gs_setup import open_gs
from tests.interfaces.s3_setup import open_s3


@pytest.fixture(params=["s3", "gs", "az"])
def cloud(request: pytest.FixtureRequest, green: bool) -> Iterator[Cloud]:
    contents = dict.fromkeys(KEYS, b"content")
    names = {"prefix": "prefix", "delimiter": "delimiter"}
    if request.param == "s3":
        server: Any = request.getfixturevalue("fault_server")
        server.put_many(contents)
        server.configure(page_size=1)
        worker = open_s3(f"s3://{server.bucket}/dir", green, endpoint=server.url, secrets=server.secrets)
        cloud = Cloud(server, worker, {**names, "token": "continuation-token", "listing": "list-type=2"})
    elif request.param == "gs":
        server = request.getfixturevalue("gcs_server")
        server.put_many(contents)
        server.configure(page_size=1)
        cloud = Cloud(server, open_gs(server, green, "dir"), {**names, "token": "pageToken", "listing": "maxResults"})
    else:
        server = request.getfixturevalue("azure_server")
        server.configure(page_size=1)
        worker = open_azure(f"az://{server.container}/", green, endpoint=server.endpoint, no_sign_request=True)
        for key, content in contents.items():
            worker.put(key, content, WriteOptions())
        worker = open_azure(f"az://{server.container}/dir", green, endpoint=server.endpoint, no_sign_request=True)
        cloud = Cloud(server, worker, {**names, "token": "marker", "listing": "comp=list"})
    cloud.server.forget()
    yield cloud
    s3_setup.close_opened()
    gs_setup.close_opened()
