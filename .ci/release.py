#!/usr/bin/env python3
"""Make a release: `python .ci/release.py 1.2.0`.

1. Checks: the version is newer, its tag is free, nothing is uncommitted, `CHANGELOG.md` has "Unreleased" changes.
2. Writes the version to `cloudfiles/__init__.py`, and version and date into the heading of `CHANGELOG.md`.
3. Builds the source distribution and the wheel into `dist/`, installs the wheel in an empty environment, and runs it.
4. Commits, and tags the commit `v1.2.0`.

`--dry-run` ends after the third step and restores the files. Nothing is pushed or uploaded: the commands for that are
printed. `.ci/run` must have passed before.
"""

from __future__ import annotations

import argparse
import datetime
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

VERSION = re.compile(r"\d+\.\d+\.\d+")
ASSIGNMENT = re.compile(r'^__version__ = "([^"]+)"$', re.MULTILINE)
UNRELEASED = re.compile(r"^## Unreleased\n(.*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL)

SMOKE = """
from cloudfiles import CloudFiles, __version__
cf = CloudFiles("mem://release/")
cf.puts([("a", b"1"), ("b", b"2")], compress="gzip")
assert cf.get(["a", "b"], return_dict=True) == {"a": b"1", "b": b"2"}
print(__version__)
"""


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("version", help="X.Y.Z")
    parser.add_argument("--dry-run", action="store_true", help="build and check, but neither commit nor tag")
    parser.add_argument("--no-build", action="store_true", help="skip building (for tests of this script)")
    given = parser.parse_args(arguments)
    root = Path(run("git", "rev-parse", "--show-toplevel").strip())
    module, changelog = root / "cloudfiles" / "__init__.py", root / "CHANGELOG.md"
    before = {path: path.read_text(encoding="utf-8") for path in (module, changelog)}
    check(given.version, before[module], before[changelog])
    try:
        module.write_text(with_version(before[module], given.version), encoding="utf-8")
        changelog.write_text(with_heading(before[changelog], given.version, datetime.date.today()), encoding="utf-8")
        if not given.no_build:
            build(root, given.version)
        if not given.dry_run:
            run("git", "-C", str(root), "commit", "-q", "-m", f"Version {given.version}", str(module), str(changelog))
    except BaseException:
        restore(before)
        raise
    if given.dry_run:
        restore(before)
        print(f"{given.version} can be released; nothing was committed or tagged")
        return
    run("git", "-C", str(root), "tag", "-a", f"v{given.version}", "-m", f"Version {given.version}")
    print(f"committed and tagged v{given.version}. To publish it:\n"
          f"  git push origin HEAD v{given.version}\n"
          f"  python -m twine upload dist/cloudfiles-{given.version}*")


def check(version: str, module: str, changelog: str) -> None:
    """End the program where this version cannot be released."""
    if not VERSION.fullmatch(version):
        sys.exit(f"release: expected a version X.Y.Z, got {version!r}")
    current = ASSIGNMENT.search(module)
    if current is None:
        sys.exit("release: cloudfiles/__init__.py has no __version__")
    if numbers(version) <= numbers(current[1]):
        sys.exit(f"release: {version} is not newer than {current[1]}")
    if run("git", "tag", "--list", f"v{version}").strip():
        sys.exit(f"release: there is a tag v{version} already")
    if run("git", "status", "--porcelain").strip():
        sys.exit("release: there are uncommitted changes")
    unreleased = UNRELEASED.search(changelog)
    if unreleased is None or not unreleased[1].strip():
        sys.exit('release: CHANGELOG.md has no changes below "## Unreleased"')


def numbers(version: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", version)]


def with_version(module: str, version: str) -> str:
    return ASSIGNMENT.sub(f'__version__ = "{version}"', module)


def with_heading(changelog: str, version: str, date: datetime.date) -> str:
    """The changelog with the unreleased changes under their version, below an empty "Unreleased"."""
    return changelog.replace("## Unreleased\n", f"## Unreleased\n\n## {version} ({date.isoformat()})\n", 1)


def build(root: Path, version: str) -> None:
    """Build into `dist/`, and run what was built."""
    dist = root / "dist"
    shutil.rmtree(root / "build", ignore_errors=True)  # modules of earlier builds would get into the wheel
    with tempfile.TemporaryDirectory() as scratch:
        tools = environment(Path(scratch) / "tools", "build", "twine")
        run(tools, "-m", "build", "--outdir", str(dist), str(root), shown=True)
        built = sorted(map(str, dist.glob(f"cloudfiles-{version}*")))
        if [Path(name).suffix for name in built] != [".whl", ".gz"]:
            sys.exit(f"release: expected a wheel and a source distribution, got {built}")
        run(tools, "-m", "twine", "check", "--strict", *built, shown=True)
        installed = environment(Path(scratch) / "installed", built[0])
        said = run(installed, "-c", SMOKE, directory=scratch).strip()
        if said != version:
            sys.exit(f"release: the wheel says it is {said}")
        run(str(Path(installed).with_name("cloudfiles")), "bench", "--objects", "100", directory=scratch, shown=True)


def environment(directory: Path, *packages: str) -> str:
    """The interpreter of a new virtual environment with these packages."""
    run(sys.executable, "-m", "venv", str(directory))
    python = str(directory / ("Scripts" if sys.platform == "win32" else "bin") / "python")
    run(python, "-m", "pip", "install", "-q", *packages, shown=True)
    return python


def restore(files: dict[Path, str]) -> None:
    for path, text in files.items():
        path.write_text(text, encoding="utf-8")


def run(*command: str, directory: str | None = None, shown: bool = False) -> str:
    """The output of a command, '' if it is shown. Ends the program where the command fails."""
    ended = subprocess.run(command, cwd=directory, text=True, check=False, stdout=None if shown else subprocess.PIPE)
    if ended.returncode:
        sys.exit(f"release: {' '.join(command[:4])} ... failed with status {ended.returncode}")
    return ended.stdout or ""


if __name__ == "__main__":
    main()
