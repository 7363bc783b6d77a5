"""The Dockerfile frontend: a Dockerfile and a build's options in, a graph and an image's config out."""
