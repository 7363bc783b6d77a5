"""Composition root: builds drivers, services and server; start and stop order."""
