"""Volumes in directories of this host, or mounted there from elsewhere by mount options."""
