"""Steps that run a process: what surrounds it, how it runs, what becomes of what it wrote."""
