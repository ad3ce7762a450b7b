"""Credentials: secrets files, environment, the providers' own chains, and request signing."""
