"""The same calls to two sockets at one version of the API, and every difference between the answers."""
