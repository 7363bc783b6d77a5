"""The small answers: top, prune, wait."""

from wharfd.engine.containers.prune import Pruned
from wharfd.engine.containers.top import Processes
from wharfd.engine.containers.waiters import WaitResult
from wharfd.model.json import JsonObject


def encode_top(processes: Processes) -> JsonObject:
    return {"Processes": processes.rows, "Titles": processes.titles}


def encode_pruned(pruned: Pruned) -> JsonObject:
    """Docker: null where nothing was removed."""
    return {"ContainersDeleted": pruned.ids or None, "SpaceReclaimed": pruned.reclaimed_bytes}


def encode_wait(result: WaitResult) -> JsonObject:
    """Docker: Error is there only if there is one."""
    doc: JsonObject = {"StatusCode": result.exit_code}
    if result.error:
        doc["Error"] = {"Message": result.error}
    return doc
