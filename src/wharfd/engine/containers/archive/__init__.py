"""A container's files: looked at, copied out, copied in, exported, compared with the image's."""
