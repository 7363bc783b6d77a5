"""What a running container writes, on its way to those who look on."""
