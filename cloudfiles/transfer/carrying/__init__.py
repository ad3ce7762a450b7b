"""Carrying one object from one store to another, by the best way that both offer."""
