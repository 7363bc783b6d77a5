"""Use cases of volumes: create, list, inspect, remove, prune."""
