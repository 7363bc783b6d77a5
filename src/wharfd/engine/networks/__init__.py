"""Use cases of networks: listing, inspecting, pruning.  Making one's own comes later."""
