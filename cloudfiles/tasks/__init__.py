"""Uploads and downloads of trees, as tasks that can be run, watched, saved and gone on with."""
