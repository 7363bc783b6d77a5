"""Registries and what stands around them, on loopback: Debian's docker-registry, a token server, a proxy with faults, certificates."""
