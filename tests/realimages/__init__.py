"""Images of the kinds that people have, and what an engine makes of them, path by path.  See `__main__.py`."""
