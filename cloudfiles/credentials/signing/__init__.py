"""Signatures of requests and of URLs."""
