"""`docker build` as it was before BuildKit: a context in, one line after the other out."""
