"""How a build fails."""

from wharfd.engine.build.graph import Vertex
from wharfd.model.errors import BuildFailed


class StepFailed(BuildFailed):
    """A vertex could not be carried out.  The message is BuildKit's: `failed to solve: ` is the doors' to add."""

    def __init__(self, vertex: Vertex, message: str) -> None:
        super().__init__(message)
        self.vertex = vertex


class ProcessFailed(StepFailed):
    """A process ended with a code that is not allowed."""

    def __init__(self, vertex: Vertex, args: list[str], exit_code: int, *, oom_killed: bool = False) -> None:
        self.args_text = " ".join(args)
        self.exit_code = exit_code
        reason = "cannot allocate memory" if oom_killed else f"exit code: {exit_code}"
        super().__init__(vertex, f'process "{self.args_text}" did not complete successfully: {reason}')

    @property
    def classic(self) -> str:
        """As the classic builder says it."""
        return f"The command '{self.args_text}' returned a non-zero code: {self.exit_code}"
