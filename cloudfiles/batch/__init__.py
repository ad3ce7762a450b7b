"""Batches: one function over many items, and what each verb does with them."""
