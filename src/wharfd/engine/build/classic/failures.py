"""Failures of steps in the classic builder's words."""

import re
from collections.abc import Sequence

from wharfd.engine.build.failures import ProcessFailed, StepFailed
from wharfd.engine.build.graph import walk
from wharfd.engine.build.ops import Copy, FileOp, LocalSource
from wharfd.model.errors import BuildFailed, EngineError, StartFailed

MISSING = re.compile(r'failed to calculate checksum of ref [^ ]*: "(?P<path>.*)": not found')
NO_MATCH = re.compile(r".* not found$", re.DOTALL)


class ClassicFailed(BuildFailed):
    """`code`: of the process that failed, 0 for another failure."""

    def __init__(self, message: str, code: int = 0) -> None:
        super().__init__(message)
        self.code = code


def in_classic_words(error: EngineError, text: str) -> EngineError:
    """`text`: of the instruction."""
    match error:
        case ProcessFailed():
            return ClassicFailed(error.classic, error.exit_code)
        case StepFailed(__cause__=StartFailed() as cause):
            return ClassicFailed(str(cause).removesuffix(": unknown"))
        case StepFailed():
            verb = text.split(None, 1)[0].upper() if text.strip() else "COPY"
            return ClassicFailed(told_of_files(error, verb) or str(error))
    return error


def told_of_files(error: StepFailed, verb: str) -> str:
    op = error.vertex.op
    if not isinstance(op, FileOp):
        return ""
    missing = MISSING.search(str(error))
    if missing is not None:
        path = missing["path"].lstrip("/")
        if reads_context(error, op.actions):
            return (
                f"{verb} failed: file not found in build context or excluded by .dockerignore: "
                f"stat {path}: file does not exist"
            )
        return f"{verb} failed: stat {path}: file does not exist"
    if any(isinstance(action, Copy) and action.wildcard for action in op.actions) and NO_MATCH.match(str(error)):
        return f"{verb} failed: no source files were specified"
    return ""


def reads_context(error: StepFailed, actions: Sequence[object]) -> bool:
    numbers = {action.source_input for action in actions if isinstance(action, Copy)}
    sources = [output for number, output in enumerate(error.vertex.inputs) if number in numbers]
    return any(isinstance(vertex.op, LocalSource) for vertex in walk(sources))
