"""Which step is done how."""

from collections.abc import Sequence

from wharfd.engine.build.execution.steps import ExecSteps
from wharfd.engine.build.filesteps import FileSteps
from wharfd.engine.build.graph import Vertex
from wharfd.engine.build.ops import ExecOp
from wharfd.engine.build.reports import Report
from wharfd.engine.build.roots import Root
from wharfd.engine.build.scene import Scene
from wharfd.engine.build.solver import Made


class AllSteps:
    def __init__(self, *, files: FileSteps, execs: ExecSteps) -> None:
        self.files = files
        self.execs = execs

    async def __call__(self, vertex: Vertex, inputs: Sequence[Root], scene: Scene, report: Report) -> Made:
        if isinstance(vertex.op, ExecOp):
            return await self.execs(vertex, inputs, scene, report)
        return await self.files(vertex, inputs)
