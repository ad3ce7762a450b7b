"""cloud-files 6.4.3 from PyPI, whose module has our name: it lives in an environment of its own."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from benchmarks.clients.base import Target
from benchmarks.clients.ours import Ours


class Threads(Ours):
    """The facade is the same, so the calls are ours; `raw` alone differs, which these workloads do not tell apart."""

    name = "cloud-files 6.4.3, threads"
    needs = ("cloudfiles",)
    environment = "cloud-files"
    green = False
    schemes = frozenset({"s3"})  # its endpoints of other clouds cannot be chosen
    hides = frozenset({"stream", "copy_within", "get_recorded"})  # no stream; its copies inside S3 do not end here

    def setup(self, target: Target) -> None:
        from cloudfiles import CloudFiles  # type: ignore[attr-defined, unused-ignore]

        secrets = {"AWS_ACCESS_KEY_ID": target.access_key, "AWS_SECRET_ACCESS_KEY": target.secret_key,
                   "AWS_SESSION_TOKEN": None, "AWS_DEFAULT_REGION": target.region}
        self.scratch = target.scratch
        self.folder = CloudFiles
        path = f"file://{target.directory}" if target.local else f"s3://{target.base_url}"
        self.store = CloudFiles(path, green=self.green, num_threads=target.connections, progress=False,
                                secrets=None if target.local else secrets)

    def bodies(self, result: Any, keys: Sequence[str]) -> Iterable[Any]:
        found = {record["path"]: record["content"] for record in result}  # it promises no order
        return (found[key] for key in keys)


class Green(Threads):
    """With gevent's patches, as its manual asks."""

    name = "cloud-files 6.4.3, green"
    statement = None
    green = True

    def setup(self, target: Target) -> None:
        from gevent import monkey

        monkey.patch_all(threads=False)
        super().setup(target)
