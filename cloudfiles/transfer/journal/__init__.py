"""Resumable transfers, recorded in a journal that many processes may work on."""
