"""What is known of an exec."""

from wharfd.engine.execs.registry import Exec, Execs


class InspectExec:
    def __init__(self, *, execs: Execs) -> None:
        self.execs = execs

    def __call__(self, exec_id: str) -> Exec:
        """Raises ExecNotFound."""
        return self.execs.get(exec_id)
