"""URLs for people to read."""

from urllib.parse import urlsplit


def masked(url: str) -> str:
    """The same with the user's name and password hidden, as dockerd and BuildKit hide them; empty for what is no URL."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    place = parts.netloc.rpartition("@")
    return parts._replace(netloc=f"xxxxx:xxxxx@{place[2]}").geturl() if place[1] else url
