"""Benchmarks: this package and the alternatives, against one server, in one run. See README.md."""
