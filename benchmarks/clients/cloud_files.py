"""cloud-files 6.4.3 from PyPI, whose module has the same name as ours, in a separate environment."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

from benchmarks.clients.base import Target
from benchmarks.clients.ours import Ours


class Threads(Ours):
    """The API is the same, so the calls are ours; only `raw` differs, which does not matter here."""

    name = "cloud-files 6.4.3, threads"
    needs = ("cloudfiles",)
    environment = "cloud-files"
    green: ClassVar[bool] = False
    width = 20
    schemes = frozenset({"s3"})  # endpoints of its other clouds cannot be configured
    hides = frozenset({"stream", "copy_within", "get_recorded"})  # copies inside S3 do not finish here

    def setup(self, target: Target) -> None:
        from cloudfiles import CloudFiles  # type: ignore[attr-defined, unused-ignore]

        secrets = {"AWS_ACCESS_KEY_ID": target.access_key, "AWS_SECRET_ACCESS_KEY": target.secret_key,
                   "AWS_SESSION_TOKEN": None, "AWS_DEFAULT_REGION": target.region}
        self.scratch = target.scratch
        self.folder = CloudFiles
        path = f"file://{target.directory}" if target.local else f"s3://{target.base_url}"
        equal: dict[str, Any] = {"green": self.green, "num_threads": target.connections} if target.connections else {}
        self.store = CloudFiles(path, progress=False, secrets=None if target.local else secrets, **equal)

    def bodies(self, result: Any, keys: Sequence[str]) -> Iterable[Any]:
        found = {record["path"]: record["content"] for record in result}  # the order is not guaranteed
        return (found[key] for key in keys)


class Green(Threads):
    """With gevent's monkey-patching, as its manual says."""

    name = "cloud-files 6.4.3, green"
    statement = None
    green = True

    def setup(self, target: Target) -> None:
        from gevent import monkey

        monkey.patch_all(threads=False)
        super().setup(target)
