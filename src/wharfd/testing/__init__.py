"""In-memory drivers, a clock that stands still, builders of records, and faults on demand.

For tests and benchmarks (the project's own and those of code that builds on it); nothing else imports it.  A fake is a real program: it
keeps state, refuses what its port says must be refused, and can be told to fail (`fake.Fake.fail_next`).
"""
