"""A scripted Cloud Storage in a process of its own: what the emulator lacks, and faults on request.

    with GcsServer() as server:
        server.put("a", b"content", headers={"content-encoding": "gzip"})
        server.script(Rule(busy(), key="a"))

It is at `server.url`, with the bucket `server.bucket` there from the start. Written from Google's documentation.
"""

from __future__ import annotations

import json
from typing import Any

from cloudfiles.testing import S3Server, Status
from cloudfiles.testing.server_app import ServerApp
from tests.servers.gcs_service import GcsService
from tests.servers.gcs_settings import GcsSettings


class GcsApp(ServerApp):
    """What runs in the server's process."""

    def reset(self) -> None:
        super().reset()
        self.service = GcsService()

    def generation(self, bucket: str, key: str) -> str:
        return str(self.service.buckets[bucket].objects.generations[key])

    def uploads(self, bucket: str) -> list[str]:
        return [session.name for session in self.service.buckets[bucket].sessions.values() if not session.done]

    def forget_sessions(self, bucket: str) -> None:
        self.service.buckets[bucket].sessions.clear()


class GcsServer(S3Server):
    """The test's hold on the server; settings are `GcsSettings`, and uploads resumable sessions."""

    app = "tests.servers.gcs_server:GcsApp"

    initial_settings = GcsSettings()

    def generation(self, key: str) -> str:
        """The generation of the object at `key`."""
        found: str = self._process.call("generation", self.bucket, key)
        return found

    def forget_sessions(self) -> None:
        """Lose every resumable session, as happens after a week."""
        self._process.call("forget_sessions", self.bucket)


def json_error(status: int, reason: str, message: str = "", **more: Any) -> Status:
    """An error of the JSON API."""
    error = {"errors": [{"domain": "global", "reason": reason, "message": message or reason}], "code": status,
             "message": message or reason}
    return Status(status, (("Content-Type", "application/json; charset=UTF-8"),),
                  json.dumps({"error": error}).encode(), **more)


def busy(**more: Any) -> Status:
    return json_error(429, "rateLimitExceeded", "The rate of requests is too high.", **more)


def backend_error(**more: Any) -> Status:
    return json_error(503, "backendError", "Backend Error", **more)
