"""Messages are logged without importing `logging` before there is one."""

from __future__ import annotations

import logging
import subprocess
import sys

import pytest

from cloudfiles import logger


def test_messages_have_a_level_and_the_name_of_the_package(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "cloudfiles")
    logger.debug("a %d", 1)
    logger.info("b %s", "x")
    logger.warning("c")
    assert caplog.record_tuples == [("cloudfiles", logging.DEBUG, "a 1"), ("cloudfiles", logging.INFO, "b x"),
                                    ("cloudfiles", logging.WARNING, "c")]


def run(code: str) -> tuple[str, str]:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    return done.stdout.strip(), done.stderr.strip()


def test_only_a_warning_needs_logging() -> None:
    assert run("import sys; from cloudfiles import logger; logger.info('a'); print('logging' in sys.modules)"
               ) == ("False", "")
    assert run("from cloudfiles import logger; logger.warning('b')") == ("", "b")


def test_without_descriptors_nothing_is_logged_and_nothing_fails() -> None:
    assert run("""
import os, resource
from cloudfiles import logger
resource.setrlimit(resource.RLIMIT_NOFILE, (32, 32))
try:
    while True:
        os.dup(0)
except OSError:
    logger.warning("lost")
    print("went on")
""") == ("went on", "")
