"""Moving data between stores: copy, move, sync, verify; by the best way that both sides offer.

`CloudFiles` has them as verbs (`verbs/moving.py`); `carrying/carrier.py` carries one object, `run.py` many.
"""
