"""What build steps do with files: in worker processes, on roots put together from layers."""
