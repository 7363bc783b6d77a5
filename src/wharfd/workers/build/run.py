"""Which function does which job of a build."""

from collections.abc import Sequence

from wharfd.model.archive import IngestedLayer
from wharfd.model.ids import Digest
from wharfd.model.tree import DigestedEntry, TreeEntry
from wharfd.workers.build.actions import apply_actions
from wharfd.workers.build.context import receive_context
from wharfd.workers.build.digests import digest_selections
from wharfd.workers.build.looking import list_directory, list_tree, read_range, resolve, stat_entry
from wharfd.workers.build.packing import export_tree, pack_layer
from wharfd.workers.build.serving import serve_root
from wharfd.workers.build.stubs import finish_run
from wharfd.workers.protocol import (
    ApplyActions,
    BuildJob,
    DigestSelections,
    ExportTree,
    FetchUrl,
    FinishRun,
    ListDirectory,
    ListTree,
    PackLayer,
    ReadRange,
    ReceiveContext,
    ResolvePath,
    ServeRoot,
    StatEntry,
    StreamUrl,
)

Answer = (
    int
    | bytes
    | list[Digest]
    | TreeEntry
    | list[TreeEntry]
    | list[DigestedEntry]
    | IngestedLayer
    | dict[str, object]
    | None
)


def run(job: BuildJob, descriptors: Sequence[int]) -> Answer:
    match job:
        case ApplyActions(target, roots, actions):
            return apply_actions(target, roots, actions)
        case DigestSelections(view, selections):
            return digest_selections(view, selections)
        case ReadRange(view, path, offset, length):
            return read_range(view, path, offset, length)
        case StatEntry(view, path):
            return stat_entry(view, path)
        case ResolvePath(view, path):
            return resolve(view, path)
        case ListDirectory(view, path):
            return list_directory(view, path)
        case ListTree(view):
            return list_tree(view)
        case ExportTree():
            export_tree(descriptors[0], job)
            return None
        case ServeRoot(view):
            serve_root(descriptors[0], view)
            return None
        case ReceiveContext(into):
            return receive_context(descriptors[0], into)
        case FetchUrl():
            # Imported here: few builds download anything, and it brings the whole of http and tls.
            from wharfd.workers.build.fetch import fetch_url

            return fetch_url(job)
        case StreamUrl():
            from wharfd.workers.build.web import stream_url

            stream_url(descriptors[0], job)
            return None
        case FinishRun(view, stubs):
            return finish_run(view, stubs)
        case PackLayer():
            return pack_layer(job)
