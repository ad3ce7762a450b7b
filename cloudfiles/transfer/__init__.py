"""Moving data between stores: copy, move, sync, verify; by the best way that both sides offer.

`CloudFiles` offers these as verbs (`verbs/transfer.py`); `copier.py` copies one object, `engine.py` many.
"""
