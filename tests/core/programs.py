"""Small programs in processes of their own: what a test does there, pytest has not prepared."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

from tests.servers.processes import ending_with_parent

ROOT = Path(__file__).resolve().parents[2]


def start_program(source: str, *flags: str, **environment: str) -> subprocess.Popen[str]:
    """Run `source` in a new interpreter, in a process group of its own."""
    environ = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1", **environment}
    return subprocess.Popen(ending_with_parent([sys.executable, *flags, "-c", textwrap.dedent(source)]), env=environ,
                            text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                            start_new_session=True)


def run_program(source: str, *flags: str, timeout: float = 60, **environment: str) -> str:
    """What it prints. Fails unless it ends with 0 and has nothing to say on its standard error."""
    with start_program(source, *flags, **environment) as program:
        try:
            out, err = program.communicate(timeout=timeout)
        except BaseException:
            program.kill()
            raise
    assert (program.returncode, err) == (0, ""), f"exit code {program.returncode}: {out}{err}"
    return out.strip()
