"""Bridge networks: a Linux bridge, a veth pair per endpoint, masquerading by nftables."""
