"""Checks the store: is everything there that the records speak of, and nothing that they do not.  Reads only, also while an engine runs."""
