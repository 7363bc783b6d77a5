"""Use cases of networks: create, remove, prune, list, inspect; connect and disconnect containers."""
