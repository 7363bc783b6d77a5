"""Caches that travel: read from registries, clients' directories and images, and written there."""
