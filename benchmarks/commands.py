"""The command line beside s5cmd, rclone and aws: `python -m benchmarks.commands` (`--help`).

Every task is timed as a whole process, by default settings. Listings are those of a server that answers at once, or
after 50 ms (see `far_store`); objects are copied and deleted on `rclone serve s3`, in a directory in memory. A round
runs every program once, then the next round starts; the median is printed, and its ratio to that of `cloudfiles`.
Install the package for this, not in editable mode, which takes longer to start.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from benchmarks import envs
from benchmarks.far_store import LISTS, listed_prefix
from benchmarks.servers import Servers

BUCKET = "commands"
KEYS = 100_000  # in the listing of the far store
Command = list[str]
CommandOf = Callable[[str, str, str], Command | None]


class Task(NamedTuple):
    """What is timed: its title, the server, and what is done there, as the commands of each program name it."""

    title: str
    server: str
    verb: str


TASKS = [Task("--help", "signed", "start"),
         Task("ls of {keys:,} keys", "far-listing-0", "ls"), Task("ls, 50 ms away", "far-listing-50", "ls"),
         Task("du of {keys:,} keys", "far-listing-0", "du"), Task("du, 50 ms away", "far-listing-50", "du"),
         Task("cp of {files:,} files of 4 KiB up", "signed", "up"),
         Task("cp of {files:,} files of 4 KiB down", "signed", "down"),
         Task("rm -r of {files:,} objects", "signed", "rm")]


def programs(endpoint: str, without: Sequence[str] = ()) -> dict[str, CommandOf]:
    """By name: a function of the verb, a bucket with a prefix, and a local path, that returns the command."""
    ours = str(Path(sys.executable).with_name("cloudfiles"))
    s5cmd, rclone, aws = (envs.program(name) for name in ("s5cmd", "rclone", "aws"))

    def cloudfiles(task: str, key: str, local: str) -> Command | None:
        cloud = f"s3://{key}"
        return [ours, *{"start": ["--help"], "ls": ["ls", f"{cloud}/"], "du": ["du", "-s", cloud], "up": [
            "cp", "-r", local, cloud], "down": ["cp", "-r", cloud, local], "rm": ["rm", "-r", cloud]}[task]]

    def by_s5cmd(task: str, key: str, local: str) -> Command | None:
        cloud = f"s3://{key}/*"
        return [s5cmd or "", *{"start": ["--help"], "ls": ["ls", cloud], "du": ["du", cloud], "up": [
            "cp", f"{local}/", cloud[:-1]], "down": ["cp", cloud, f"{local}/"], "rm": ["rm", cloud]}[task]]

    def by_rclone(task: str, key: str, local: str) -> Command | None:
        cloud = f":s3:{key}"
        keys = ["--config", os.devnull, "--s3-provider", "Other", "--s3-env-auth", "--s3-endpoint", endpoint,
                "--s3-list-version", "2"]  # that of Amazon; for other providers it would be 1
        return [rclone or "", *keys, *{
            "start": ["--help"], "ls": ["lsf", "-R", cloud], "du": ["size", cloud], "up": ["copy", local, cloud],
            "down": ["copy", cloud, local], "rm": ["purge", cloud]}[task]]

    def by_aws(task: str, key: str, local: str) -> Command | None:
        cloud = f"s3://{key}/"
        return [aws or "", "s3", *{"start": ["help"], "ls": ["ls", "--recursive", cloud], "du": [
            "ls", "--recursive", "--summarize", cloud], "up": ["cp", "--recursive", "--quiet", local, cloud], "down": [
            "cp", "--recursive", "--quiet", cloud, local], "rm": ["rm", "--recursive", "--quiet", cloud]}[task]]

    found = {"cloudfiles": cloudfiles, "s5cmd": by_s5cmd, "rclone": by_rclone, "aws": by_aws}
    there = {"cloudfiles": ours, "s5cmd": s5cmd, "rclone": rclone, "aws": aws}
    return {name: command for name, command in found.items() if there[name] and name not in without}


def timed(command: Command, environ: dict[str, str], directory: Path) -> float:
    """Seconds that a command takes; raises RuntimeError if it fails."""
    began = time.perf_counter()
    done = subprocess.run(command, capture_output=True, env=environ, cwd=directory, check=False)
    seconds = time.perf_counter() - began
    if done.returncode:
        raise RuntimeError(f"{command[0]} ended with {done.returncode}: {done.stderr[-300:].decode()}")
    return seconds


class Tasks:
    """The data of the tasks, and what is checked after each."""

    def __init__(self, root: Path, scratch: Path, files: int) -> None:
        self.bucket, self.scratch, self.files = root / BUCKET, scratch, files
        self.source = scratch / "source"
        self.fill(self.source)
        self.fill(self.bucket / "small")

    def fill(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        for number in range(self.files):
            (directory / f"{number:05d}").write_bytes(number.to_bytes(8, "big") * 512)

    @contextmanager
    def prepared(self, task: str) -> Iterator[tuple[str, str]]:
        """The bucket with a prefix and the local path of one run; afterwards its result is checked and removed."""
        if task in ("ls", "du"):
            yield f"{LISTS}/{listed_prefix(KEYS)}", ""
            return
        key = {"down": "small", "start": "small"}.get(task, f"new-{task}")
        local = self.source if task == "up" else self.scratch / "down"
        if task == "rm":
            self.fill(self.bucket / key)
            time.sleep(1.5)  # the server looks at a directory once a second
        yield f"{BUCKET}/{key}", str(local)
        if task in ("up", "down"):
            written = self.bucket / key if task == "up" else local
            found = sorted(path.name for path in written.rglob("*") if path.is_file())
            assert found == sorted(os.listdir(self.source)), f"{len(found)} of {self.files} files in {written}"
            shutil.rmtree(written)
        if task == "rm":
            left = [path.name for path in (self.bucket / key).rglob("*") if path.is_file()]
            assert not left, left[:5]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.commands", description=__doc__)
    parser.add_argument("--files", type=int, default=5_000, help="files that `cp` copies (%(default)s)")
    parser.add_argument("--repeat", type=int, default=3, help="rounds (%(default)s)")
    parser.add_argument("--only", default="", help="what to measure, of start, ls, du, up, down and rm (all)")
    parser.add_argument("--without", default="", help="programs that are left out")
    chosen = parser.parse_args()
    without = chosen.without.split(",")
    verbs = chosen.only.split(",") if chosen.only else {task.verb for task in TASKS}
    inherited = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    with Servers() as servers:
        target = servers.target("signed", "commands")
        tasks = Tasks(servers.root, servers.run / "commands", chosen.files)
        print("| task | " + " | ".join(programs("", without)) + " |")
        for task in (task for task in TASKS if task.verb in verbs):
            endpoint = servers.endpoint(task.server)
            environ = {**inherited, "AWS_ACCESS_KEY_ID": target.access_key, "AWS_REGION": target.region,
                       "AWS_SECRET_ACCESS_KEY": target.secret_key, "AWS_ENDPOINT_URL": endpoint,
                       "S3_ENDPOINT_URL": endpoint, "AWS_DEFAULT_REGION": target.region}
            title = task.title.format(keys=KEYS, files=chosen.files)
            commands = programs(endpoint, without)
            print(f"| {title} | " + " | ".join(measured(task.verb, tasks, commands, environ, chosen.repeat)) + " |",
                  flush=True)


def measured(verb: str, tasks: Tasks, commands: Mapping[str, CommandOf], environ: dict[str, str], repeat: int
             ) -> list[str]:
    """A cell for each program: the median in seconds, and its ratio to that of cloudfiles."""
    seconds: dict[str, list[float]] = {}
    failed: dict[str, str] = {}
    for _ in range(repeat):
        for name, command_of in commands.items():
            with tasks.prepared(verb) as (key, local):
                command = command_of(verb, key, local)
                assert command is not None
                try:
                    seconds.setdefault(name, []).append(timed(command, environ, tasks.scratch))
                except RuntimeError as error:
                    failed[name] = str(error)
    ours = statistics.median(seconds["cloudfiles"])
    cells = []
    for name in commands:
        if name in failed:
            print(failed[name], file=sys.stderr)
            cells.append("failed")
        else:
            median = statistics.median(seconds[name])
            cells.append(f"{median:.2f} s ({median / ours:.2f})")
    return cells


if __name__ == "__main__":
    main()
