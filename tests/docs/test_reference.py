"""Every public name is in the API reference."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import cloudfiles
from cloudfiles import aio, bucket, datalake, exceptions, files, monitoring, results

PAGES = Path(__file__).parent.parent.parent / "docs" / "api"
MODULES = {"paths", "compression", "exceptions", "secrets"}


def documented() -> set[str]:
    """The names in the directives of autodoc, without their modules; one of them has all exceptions."""
    text = "".join(page.read_text() for page in PAGES.glob("*.md"))
    names = re.findall(r"^\.\. auto\w+:: ([\w.]+)", text, re.MULTILINE)
    return set(vars(exceptions)) | {name.rpartition(".")[2] for name in names}


@pytest.mark.parametrize("names", [cloudfiles.__all__, aio.__all__, bucket.__all__, datalake.__all__, files.__all__,
                                   monitoring.__all__, ("GetResult", "ObjectHead", "SizeSummary")],
                         ids=["cloudfiles", "aio", "bucket", "datalake", "files", "monitoring", "results"])
def test_the_reference_has_every_public_name(names: list[str]) -> None:
    assert {name for name in names if name not in MODULES} - documented() == set()
    assert results.__doc__
