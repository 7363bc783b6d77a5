"""Scenarios that drive real clients against any Docker-compatible socket, and a comparison of two sockets call by call."""
