"""Drivers of the port `paths`."""
