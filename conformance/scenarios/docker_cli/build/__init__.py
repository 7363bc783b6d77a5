"""docker build and buildx, by topic."""
