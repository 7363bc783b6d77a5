"""API 1.42: what it changed."""

from wharfd.api.versions.changes import response
from wharfd.model.json import JsonObject


@response("system.info", below="1.42")
def show_kernel_memory(doc: JsonObject) -> None:
    """1.42 removed KernelMemory: no kernel of today limits it apart from the rest."""
    doc["KernelMemory"] = doc["KernelMemoryTCP"]
