"""Servers that the tests run against: real ones, and scripted ones built on `cloudfiles.testing`."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
"""The repository."""
