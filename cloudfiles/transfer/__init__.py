"""Transfers between stores: copying, moving, synchronizing and verifying.

`CloudFiles` offers these as verbs (`verbs/transfer.py`); `copier.py` copies one object, `engine.py` many.
"""
