"""`az://` against azurite, as a store of the suite."""

from __future__ import annotations

import uuid

import pytest

from tests.servers.azurite import AzuriteServer

_containers: dict[int, str] = {}


def azurite_place(request: pytest.FixtureRequest) -> tuple[str, dict[str, object]]:
    """A fresh cloudpath on azurite, and the options that reach it."""
    server: AzuriteServer = request.getfixturevalue("azurite")
    if server.pid not in _containers:
        _containers[server.pid] = server.make_container()
    return (f"az://{_containers[server.pid]}/{uuid.uuid4().hex[:12]}/",
            {"endpoint": server.endpoint, "secrets": server.secrets})
