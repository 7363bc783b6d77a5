"""Composition root: builds drivers, use cases and server from the settings; only here the three meet."""
