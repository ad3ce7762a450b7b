"""Credentials: secrets files, the environment, the providers' own chains, and signatures."""
