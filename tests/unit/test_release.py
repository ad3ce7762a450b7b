"""The release script, on a small repository, and what the package says of itself."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.servers import ROOT

SCRIPT = ROOT / ".ci" / "release.py"
CHANGELOG = "# Changelog\n\n## Unreleased\n\n- A new thing.\n\n## 1.0.0\n\n- The first.\n"


def call(repository: Path, *command: str) -> subprocess.CompletedProcess[str]:
    identity = {f"GIT_{who}_{what}": "x@example.org" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    return subprocess.run(command, cwd=repository, capture_output=True, text=True, check=False,
                          env={**os.environ, **identity})


def release(repository: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return call(repository, sys.executable, str(SCRIPT), "--no-build", *arguments)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    (tmp_path / "cloudfiles").mkdir()
    (tmp_path / "cloudfiles" / "__init__.py").write_text('"""Doc."""\n\n__version__ = "1.0.0"\n')
    (tmp_path / "CHANGELOG.md").write_text(CHANGELOG)
    for command in (["init", "-q"], ["add", "-A"], ["commit", "-q", "-m", "First"]):
        assert call(tmp_path, "git", *command).returncode == 0
    return tmp_path


def test_a_release_is_committed_and_tagged(repository: Path) -> None:
    ended = release(repository, "1.1.0")
    assert ended.returncode == 0, ended.stderr
    assert "git push origin HEAD v1.1.0" in ended.stdout
    assert '__version__ = "1.1.0"\n' in (repository / "cloudfiles" / "__init__.py").read_text()
    changelog = re.sub(r"\(\d{4}-\d\d-\d\d\)", "(DATE)", (repository / "CHANGELOG.md").read_text())
    assert changelog == CHANGELOG.replace("## Unreleased\n", "## Unreleased\n\n## 1.1.0 (DATE)\n")
    assert call(repository, "git", "status", "--porcelain").stdout == ""
    assert call(repository, "git", "tag", "--points-at", "HEAD").stdout == "v1.1.0\n"
    assert call(repository, "git", "log", "-1", "--format=%s").stdout == "Version 1.1.0\n"


def test_a_dry_run_changes_nothing(repository: Path) -> None:
    assert release(repository, "1.1.0", "--dry-run").returncode == 0
    assert call(repository, "git", "status", "--porcelain").stdout == ""
    assert call(repository, "git", "tag").stdout == ""
    assert call(repository, "git", "log", "--format=%s").stdout == "First\n"


@pytest.mark.parametrize(("version", "message"), [
    ("1.1", "expected a version X.Y.Z, got '1.1'"), ("1.0.0", "1.0.0 is not newer than 1.0.0"),
    ("0.9.10", "0.9.10 is not newer than 1.0.0"), ("1.0.9", "there is a tag v1.0.9 already"),
])
def test_versions_that_cannot_be_released(repository: Path, version: str, message: str) -> None:
    call(repository, "git", "tag", "v1.0.9")
    ended = release(repository, version)
    assert (ended.returncode, ended.stderr) == (1, f"release: {message}\n")


def test_uncommitted_changes(repository: Path) -> None:
    (repository / "new.py").touch()
    assert release(repository, "1.1.0").stderr == "release: there are uncommitted changes\n"


def test_nothing_to_release(repository: Path) -> None:
    (repository / "CHANGELOG.md").write_text(CHANGELOG.replace("- A new thing.\n\n", ""))
    call(repository, "git", "commit", "-aqm", "Second")
    assert release(repository, "1.1.0").stderr == 'release: CHANGELOG.md has no changes below "## Unreleased"\n'


def test_a_commit_that_fails_leaves_the_files_as_they_were(repository: Path) -> None:
    hook = repository / ".git" / "hooks" / "pre-commit"
    hook.write_text("#!/bin/sh\nexit 1\n")
    hook.chmod(0o755)
    ended = release(repository, "1.1.0")
    assert ended.returncode == 1
    assert (repository / "CHANGELOG.md").read_text() == CHANGELOG
    assert call(repository, "git", "tag").stdout == ""


def test_ci_runs_every_python_that_is_promised() -> None:
    setup, ci = (ROOT / "setup.py").read_text(), (ROOT / ".ci" / "run").read_text()
    promised = re.findall(r'"(3\.\d+)"', re.search(r"^PYTHONS = \[.*\]", setup, re.MULTILINE)[0])  # type: ignore[index]
    run = re.search(r"for version in ((?:3\.\d+ ?)+)", ci)
    assert run is not None
    assert promised[0] == "3.10"
    assert set(promised) <= set(run[1].split())
