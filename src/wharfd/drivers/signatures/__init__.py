"""Signature policies and keys."""
