"""Drivers of the port `volumes`."""
