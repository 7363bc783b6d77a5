"""Where roots come from: images, clients' directories, the web, git."""
