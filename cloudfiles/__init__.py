"""Batch access to cloud storage."""
