"""Draws `_static/session.svg`, a session of commands that are run for real: `python docs/record_session.py`."""

from __future__ import annotations

import html
import os
import pty
import re
import select
import struct
import subprocess
import sys
import tempfile
import termios
from fcntl import ioctl
from pathlib import Path

from cloudfiles import CloudFiles
from cloudfiles.testing import S3Server

HERE = Path(__file__).parent
COLUMNS, LINE, FONT = 100, 20, 14

COMMANDS = [
    "cp -r s3://bucket/tiles tiles --progress",
    "sync tiles s3://bucket/tiles",
    "ls -lh 's3://bucket/*.bin'",
    "du -sh s3://bucket/tiles s3://bucket/volume.bin",
    "cp -r s3://bucket/tiles/nothing here; echo status $?",
]


def main() -> None:
    with S3Server() as server, tempfile.TemporaryDirectory() as directory:
        server.configure(create_buckets=True, record=False)
        cf = CloudFiles(server.cloudpath("bucket/"), secrets=server.secrets)
        cf.puts((f"tiles/{n // 100}/{n}.png", os.urandom(4096)) for n in range(5000))
        cf.put("volume.bin", os.urandom(64 << 20))
        environment = {**os.environ, **server.secrets, "AWS_ENDPOINT_URL": server.url,
                       "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
        lines = []
        for command in COMMANDS:
            lines.append(f"$ cloudfiles {command}")
            lines += [line[:COLUMNS] for line in _shown(f"cloudfiles {command}", directory, environment)]
    (HERE / "_static" / "session.svg").write_text(_drawn(lines), encoding="utf-8")


def _shown(command: str, directory: str, environment: dict[str, str]) -> list[str]:
    """What a terminal shows at the end."""
    leader, follower = pty.openpty()
    ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 40, COLUMNS, 0, 0))
    shown = b""
    with subprocess.Popen(["sh", "-c", command], stdout=follower, stderr=follower, cwd=directory,
                          env=environment) as process:
        while True:
            has_ended = process.poll() is not None
            if select.select([leader], [], [], 0.05)[0]:
                shown += os.read(leader, 65536)
            elif has_ended:
                break
    os.close(leader)
    os.close(follower)
    text = re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", shown.decode())
    return [line.rstrip("\r").rpartition("\r")[2].rstrip() for line in text.rstrip().split("\n")]


def _drawn(lines: list[str]) -> str:
    width, height = COLUMNS * FONT * 0.61 + 40, len(lines) * LINE + 40
    rows = "\n".join(
        f'<text x="20" y="{30 + number * LINE}" fill="{"#7ee787" if line.startswith("$") else "#e6edf3"}" '
        f'xml:space="preserve">{html.escape(line)}</text>' for number, line in enumerate(lines))
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height}" font-size="{FONT}" '
            'font-family="ui-monospace, SFMono-Regular, Menlo, Consolas, monospace">\n'
            f'<title>A session of the cloudfiles command</title>\n'
            f'<rect width="100%" height="100%" rx="8" fill="#0d1117"/>\n{rows}\n</svg>\n')


if __name__ == "__main__":
    main()
