"""Uploads and downloads of files and trees, as tasks that can be run, observed, saved and resumed."""
