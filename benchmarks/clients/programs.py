"""Programs that are not Python: s5cmd, rclone, wrk and curl. Their start-up (10-50 ms) is included."""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import urlsplit

from benchmarks.clients.base import Client, Items, Tally, Target


class Program(Client):
    """Runs `program` and reads its resource usage from the kernel."""

    program: ClassVar[str]
    peak = 0

    def setup(self, target: Target) -> None:
        self.target = target
        self.scratch = Path(target.scratch)
        self.environ = {**os.environ, "AWS_ACCESS_KEY_ID": target.access_key, "AWS_REGION": target.region,
                        "AWS_SECRET_ACCESS_KEY": target.secret_key}
        if target.ca_file:
            self.environ["AWS_CA_BUNDLE"] = target.ca_file

    def run(self, *arguments: str) -> str:
        """Standard output; raises if the program fails."""
        command = [self.target.tools[self.program], *arguments]
        with open(self.scratch / "stdout", "w+") as out, open(self.scratch / "stderr", "w+") as err:
            process = subprocess.Popen(command, stdout=out, stderr=err, env=self.environ)
            self._watch(process)
            out.seek(0)
            err.seek(0)
            if process.returncode:
                raise RuntimeError(f"{self.program} ended with {process.returncode}: {err.read()[-500:]}")
            return out.read()

    def _watch(self, process: subprocess.Popen[bytes]) -> None:
        """Wait for the end and record the peak resident size; wait4 would report our own if that is higher."""
        while process.poll() is None:
            try:
                status = Path(f"/proc/{process.pid}/status").read_text()
                self.peak = max(self.peak, int(status.split("VmHWM:")[1].split()[0]) * 1024)
            except (OSError, IndexError):
                pass
            time.sleep(0.005)

    def peak_memory(self) -> int:
        return self.peak

    def cpu_seconds(self) -> float:
        return sum(resource.getrusage(resource.RUSAGE_CHILDREN)[:2])

    def stage(self, items: Items) -> list[tuple[str, str]]:
        source = self.scratch / "source"
        shutil.rmtree(source, ignore_errors=True)
        source.mkdir()
        for key, content in items:
            (source / key).write_bytes(content)
        return [(key, str(source / key)) for key, _ in items]

    def lines(self, name: str, lines: Iterable[str]) -> str:
        path = self.scratch / name
        path.write_text("".join(line + "\n" for line in lines))
        return str(path)

    def fetched(self) -> Path:
        directory = self.scratch / "fetched"
        directory.mkdir(exist_ok=True)
        return directory

    def bodies(self, result: Any, keys: Sequence[str]) -> Iterable[bytes]:
        return ((self.scratch / "fetched" / key).read_bytes() for key in keys)


class S5cmd(Program):
    """`s5cmd run` with 20 workers and a file of commands; objects go to files in memory."""

    name = "s5cmd"
    program = "s5cmd"
    width = 256
    needs = ("s5cmd",)
    note = "writes files (tmpfs), start-up included"

    def s5cmd(self, *arguments: str) -> str:
        workers = self.target.connections
        equal = ("--numworkers", str(workers), "--retry-count", "2") if workers else ()
        return self.run("--endpoint-url", self.target.endpoint, *equal, "--log", "error", *arguments)

    def _url(self, key: str) -> str:
        return f"s3://{self.target.bucket}/{self.target.key(key)}"

    def get(self, keys: Sequence[str]) -> None:
        directory = self.fetched()
        self.s5cmd("run", self.lines("gets", (f"cp {self._url(key)} {directory}/{key}" for key in keys)))

    def put(self, items: Any) -> None:
        self.s5cmd("run", self.lines("puts", (f"cp {path} {self._url(key)}" for key, path in items)))

    def list(self) -> list[str]:
        listed = self.run("--endpoint-url", self.target.endpoint, "ls", self._url("*"))
        return [line.split()[-1] for line in listed.splitlines()]

    def delete(self, keys: Sequence[str]) -> None:
        self.s5cmd("rm", *(self._url(key) for key in keys))

    def get_big(self, key: str) -> None:
        self.get([key])

    def put_big(self, key: str, content: Any) -> None:
        self.put([(key, content)])

    def download(self, keys: Sequence[str]) -> None:
        self.get(keys)

    def upload(self, keys: Sequence[str]) -> None:
        self.put([(key, str(self.scratch / "source" / key)) for key in keys])

    def copy_within(self, keys: Sequence[str]) -> None:
        self.s5cmd("run", self.lines("copies", (f"cp {self._url(key)} {self._url('copies/' + key)}" for key in keys)))


class Rclone(Program):
    """`rclone copy` of a list of names with 20 transfers, without the extra HEAD requests."""

    name = "rclone"
    program = "rclone"
    width = 4
    needs = ("rclone",)
    note = "writes files (tmpfs), start-up included"

    def setup(self, target: Target) -> None:
        super().setup(target)
        settings = {"TYPE": "s3", "PROVIDER": "Other", "ENDPOINT": target.endpoint, "REGION": target.region,
                    "ACCESS_KEY_ID": target.access_key, "SECRET_ACCESS_KEY": target.secret_key,
                    "FORCE_PATH_STYLE": "true", "NO_CHECK_BUCKET": "true"}
        self.environ.update({f"RCLONE_CONFIG_BENCH_{name}": value for name, value in settings.items()})
        self.remote_root = f"bench:{target.bucket}/{target.prefix}/"  # the slash makes it a directory

    def rclone(self, *arguments: str) -> str:
        secure = ("--ca-cert", self.target.ca_file) if self.target.ca_file else ()
        parallel = str(self.target.connections)
        equal = ("--transfers", parallel, "--checkers", parallel, "--retries", "1", "--low-level-retries", "2")
        return self.run("--config", os.devnull, *(equal if self.target.connections else ()), "--use-server-modtime",
                        *secure, *arguments)

    def _names(self, keys: Iterable[str]) -> tuple[str, ...]:
        return ("--files-from-raw", self.lines("names", keys), "--no-traverse", "--ignore-times")

    def get(self, keys: Sequence[str]) -> None:
        self.rclone("copy", "--s3-no-head-object", self.remote_root, str(self.fetched()), *self._names(keys))

    def put(self, items: Any) -> None:
        self._copy_up("--s3-no-head", *self._names(key for key, _ in items))

    def _copy_up(self, *arguments: str) -> None:
        self.rclone("copy", str(self.scratch / "source"), self.remote_root, *arguments)

    def list(self) -> list[str]:
        return self.rclone("lsf", "--fast-list", "-R", "--files-only", self.remote_root).splitlines()

    def delete(self, keys: Sequence[str]) -> None:
        self.rclone("delete", self.remote_root, *self._names(keys)[:3])

    def get_big(self, key: str) -> None:
        self.get([key])

    def put_big(self, key: str, content: Any) -> None:
        self._copy_up(*self._names([key]))  # including the HEAD afterwards that returns the size

    def download(self, keys: Sequence[str]) -> None:
        self.get(keys)

    def upload(self, keys: Sequence[str]) -> None:
        self._copy_up("--s3-no-head" if len(keys) > 1 else "--s3-no-check-bucket", *self._names(keys))

    def copy_within(self, keys: Sequence[str]) -> None:
        self.rclone("copy", self.remote_root, f"{self.remote_root}copies/", *self._names(keys))

    def copy_tree(self, keys: Sequence[str]) -> None:
        self.rclone("copy", str(self.scratch / "source"), str(self.fetched()), *self._names(keys))


_WRK = """
local requests, turn = {}, 0
local function slurp(name) local f = assert(io.open(name, "rb")); local s = f:read("*a"); f:close(); return s end
init = function()
  for line in io.lines("NAMES") do
    local path, body = line:match("^(%S+) ?(%S*)$")
    requests[#requests + 1] = wrk.format("METHOD", path, nil, body ~= "" and slurp(body) or nil)
  end
end
request = function() turn = turn % #requests + 1; return requests[turn] end
done = function(summary)
  local e = summary.errors
  print(string.format('{"requests": %d, "microseconds": %d, "errors": %d}', summary.requests, summary.duration,
                      e.connect + e.read + e.write + e.status + e.timeout))
end
"""


class Wrk(Program):
    """The load generator: the limit of the server. It discards bodies and checks the status only."""

    name = "wrk (limit)"
    program = "wrk"
    needs = ("wrk",)
    signs = False
    largest_put = 65536  # its Lua side copies bodies slowly
    note = "discards bodies"

    def _load(self, method: str, lines: Iterable[str]) -> Tally:
        script = _WRK.replace("NAMES", self.lines("paths", lines)).replace("METHOD", method)
        seconds = max(1, round(self.target.seconds))
        told = self.run("-t1", f"-c{self.target.connections}", f"-d{seconds}s",
                        "-s", self.lines("load.lua", [script]), self.target.endpoint)
        summary = json.loads(told.splitlines()[-1])
        if summary["errors"]:
            raise RuntimeError(f"{summary['errors']} of {summary['requests']} requests failed")
        return Tally(summary["requests"], summary["microseconds"] / 1e6)

    def get(self, keys: Sequence[str]) -> Tally:
        root = urlsplit(self.target.base_url).path
        return self._load("GET", (f"{root}/{key}" for key in keys))

    def put(self, items: Any) -> Tally:
        root = urlsplit(self.target.base_url).path
        return self._load("PUT", (f"{root}/{key} {path}" for key, path in items[:200]))


class Curl(Program):
    """One stream, to nowhere and from a file: the limit of one connection."""

    name = "curl (limit)"
    program = "curl"
    needs = ("curl",)
    note = "discards the body"

    def get_big(self, key: str) -> Tally:
        started = time.perf_counter()
        size = self.run("-sS", "--fail", "-o", os.devnull, "-w", "%{size_download}",
                        f"{self.target.base_url}/{key}")
        return Tally(int(size), time.perf_counter() - started)

    def put_big(self, key: str, content: Any) -> None:
        self.run("-sS", "--fail", "--aws-sigv4", f"aws:amz:{self.target.region}:s3",
                 "-H", "x-amz-content-sha256: UNSIGNED-PAYLOAD", "-T", content,
                 "--user", f"{self.target.access_key}:{self.target.secret_key}", f"{self.target.base_url}/{key}")
