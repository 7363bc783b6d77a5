"""Fuzz targets of the formats in `wharfd.wire`: one module each, run by `python -m fuzz`."""
