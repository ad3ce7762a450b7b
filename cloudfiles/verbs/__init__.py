"""The verbs of `CloudFiles`, by what they do; each a thin layer over fan-out and interface."""
