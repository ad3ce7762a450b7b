"""Programs of users, checked by mypy and pyright at their strictest, and run: the types say what really comes."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest

import cloudfiles

HERE = Path(__file__).parent / "programs"
ROOT = Path(cloudfiles.__file__).parent.parent
MISTAKES = {number for number, line in enumerate((HERE / "mistakes.py").read_text().splitlines(), 1)
            if line.endswith("# wrong")}
EXPECTED = {"batches.py": set[int](), "awaited.py": set[int](), "tested.py": set[int](), "mistakes.py": MISTAKES}

Errors = dict[str, dict[int, list[str]]]


def check(errors: Errors) -> None:
    """Each line that is wrong has an error, and no other line has one."""
    missed = [f"{name}:{line}: no error" for name, wrong in EXPECTED.items() for line in wrong - set(errors[name])]
    other = [f"{name}:{line}: {message}" for name, wrong in EXPECTED.items()
             for line in sorted(set(errors[name]) - wrong) for message in errors[name][line]]
    assert not missed + other, "\n".join(missed + other)


def test_mypy_learns_everything(request: pytest.FixtureRequest, tmp_path: Path) -> None:
    pytest.importorskip("mypy", reason="mypy is not installed")
    kept = getattr(request.config, "cache", None)  # a run with a cache takes a second
    cache = tmp_path if kept is None else kept.mkdir("mypy")
    config = tmp_path / "mypy.ini"
    config.write_text("[mypy]\nstrict = true\nfollow_imports = silent\n"
                      "[mypy-tqdm.*]\nignore_missing_imports = true\n")
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--config-file", config, "--no-error-summary", "--hide-error-context",
         "--no-pretty", "--cache-dir", cache, *(HERE / name for name in EXPECTED)],
        cwd=ROOT, capture_output=True, text=True, timeout=240, check=False)
    errors: Errors = defaultdict(lambda: defaultdict(list))
    for line in done.stdout.splitlines():
        found = re.match(r"(.*?)([^/]*\.py):(\d+): error: (.*)", line)
        if found:
            errors[found[2]][int(found[3])].append(found[4])
    assert not done.stderr
    check(errors)


def test_pyright_learns_everything(tmp_path: Path) -> None:
    pytest.importorskip("pyright", reason="pyright is not installed: pip install pyright")
    (tmp_path / "pyrightconfig.json").write_text(json.dumps({
        "include": ["."], "extraPaths": [str(ROOT)], "typeCheckingMode": "strict",
        "reportUnusedExpression": False, "reportMissingTypeStubs": False, "reportMissingModuleSource": False,
        "reportUnknownMemberType": False}))  # of numpy and tqdm
    for name in EXPECTED:
        (tmp_path / name).write_text((HERE / name).read_text())
    done = subprocess.run(
        [sys.executable, "-m", "pyright", "--outputjson", "--pythonpath", sys.executable, "-p", tmp_path],
        cwd=tmp_path, capture_output=True, text=True, timeout=240, check=False)
    if done.returncode not in (0, 1) and not done.stdout.startswith("{"):
        pytest.skip(f"pyright cannot run here, as it has to fetch Node.js: {done.stderr[-200:]}")
    errors: Errors = defaultdict(lambda: defaultdict(list))
    for found in json.loads(done.stdout)["generalDiagnostics"]:
        if found["severity"] == "error":
            errors[Path(found["file"]).name][found["range"]["start"]["line"] + 1].append(found["message"])
    check(errors)


@pytest.mark.parametrize("program", ["batches.py", "awaited.py", "tested.py"])
def test_the_programs_run(program: str) -> None:
    done = subprocess.run([sys.executable, "-W", "error", HERE / program], cwd=ROOT, capture_output=True, text=True,
                          timeout=240, check=False)
    assert (done.returncode, done.stderr) == (0, "")
