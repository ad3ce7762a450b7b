"""Resumable transfers by a journal that many processes may work off."""
