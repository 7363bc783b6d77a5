"""Volumes that other programs keep: Docker's volume plugins (protocol version 1, HTTP on a socket)."""
