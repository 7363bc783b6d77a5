"""What a build tells, as BuildKit's StatusResponse."""

from collections.abc import Sequence

from google.protobuf.timestamp_pb2 import Timestamp

from wharfd.engine.build.progress import LogOutput, SourceFile, SourceRange, StatusUpdate, Update, VertexUpdate, Warned
from wharfd.wire.proto import llb_pb2
from wharfd.wire.proto.control_pb2 import StatusResponse, Vertex, VertexLog, VertexStatus, VertexWarning

LOG_BYTES = 1 << 20  # of one message: clients take no more than 16 MiB


def encode_updates(updates: Sequence[Update]) -> list[StatusResponse]:
    """In as few messages as are not too long."""
    responses = [StatusResponse()]
    size = 0
    for update in updates:
        if isinstance(update, LogOutput):
            size += len(update.data)
            if size > LOG_BYTES:
                responses.append(StatusResponse())
                size = len(update.data)
        encode_update(update, responses[-1])
    return responses


def encode_update(update: Update, out: StatusResponse) -> None:
    match update:
        case VertexUpdate():
            out.vertexes.append(encode_vertex(update))
        case StatusUpdate():
            status = VertexStatus(
                id=update.id, vertex=update.vertex, name=update.name, current=update.current, total=update.total
            )
            put_time(status.timestamp, update.at_ns)
            if update.started_ns:
                put_time(status.started, update.started_ns)
            if update.completed_ns:
                put_time(status.completed, update.completed_ns)
            out.statuses.append(status)
        case LogOutput():
            log = VertexLog(vertex=update.vertex, stream=update.stream, message=update.data)
            put_time(log.timestamp, update.at_ns)
            out.logs.append(log)
        case Warned():
            out.warnings.append(encode_warning(update))


def encode_vertex(update: VertexUpdate) -> Vertex:
    vertex = Vertex(
        digest=update.digest, inputs=update.inputs, name=update.name, cached=update.cached, error=update.error
    )
    if update.started_ns:
        put_time(vertex.started, update.started_ns)
    if update.completed_ns:
        put_time(vertex.completed, update.completed_ns)
    if update.progress_group is not None:
        group = update.progress_group
        vertex.progress_group.CopyFrom(llb_pb2.ProgressGroup(id=group.id, name=group.name, weak=group.weak))
    return vertex


def encode_warning(update: Warned) -> VertexWarning:
    warning = VertexWarning(
        vertex=update.vertex or "", level=update.level, short=update.short, detail=update.detail, url=update.url
    )
    if update.source is not None:
        warning.info.CopyFrom(encode_file(update.source))
    warning.ranges.extend(encode_range(each) for each in update.ranges)
    return warning


def encode_file(file: SourceFile) -> llb_pb2.SourceInfo:
    info = llb_pb2.SourceInfo(filename=file.filename, data=file.data, language=file.language)
    if file.definition:
        info.definition.ParseFromString(file.definition)
    return info


def encode_range(each: SourceRange) -> llb_pb2.Range:
    return llb_pb2.Range(
        start=llb_pb2.Position(line=each.start_line, character=each.start_character),
        end=llb_pb2.Position(line=each.end_line or each.start_line, character=each.end_character),
    )


def put_time(out: Timestamp, at_ns: int) -> None:
    """`at_ns` since the epoch."""
    out.seconds, out.nanos = divmod(at_ns, 10**9)
