"""Results and references: what `LLBBridge.Solve` gives, what the client returns, and what an error says besides its message.

A reference stands for one root of the build.  Its id is good for the build alone; its definition (LLB) also in another one, where clients
put it in as an input.
"""

import base64
from collections.abc import Mapping, Sequence
from itertools import count

import msgspec
from google.protobuf import json_format

from wharfd.api.grpc.failures import rpc_error
from wharfd.api.grpc.llb import decode_definition, encode_definition
from wharfd.api.grpc.progress import encode_range
from wharfd.engine.build.failures import ProcessFailed, StepFailed
from wharfd.engine.build.graph import Output
from wharfd.engine.build.progress import SourceFile, SourceRange
from wharfd.engine.build.requests import Attestation, BuildResult, Place
from wharfd.model.errors import Cancelled, EngineError, InvalidParameter, NotFound
from wharfd.model.ids import Digest
from wharfd.wire.dockerfile.errors import DockerfileError
from wharfd.wire.grpc import Detail, RpcError, StatusCode
from wharfd.wire.proto import gateway_pb2 as pb
from wharfd.wire.proto import llb_pb2

TYPE_PREFIX = "github.com/moby/buildkit/"
IN_TOTO_KINDS = {pb.IN_TOTO: "in-toto", pb.BUNDLE: "bundle"}


class References:
    """Of one build."""

    def __init__(self) -> None:
        self._outputs: dict[str, Output | None] = {"": None}
        self._numbers = count(1)
        self.places: dict[Digest, Sequence[Place]] = {}

    def add(self, output: Output | None) -> str:
        """Its id; an empty root has none."""
        if output is None:
            return ""
        reference = f"ref-{next(self._numbers)}"
        self._outputs[reference] = output
        return reference

    def find(self, reference: str) -> Output | None:
        """Raises NotFound."""
        if reference not in self._outputs:
            raise NotFound(f"no such ref: {reference}")
        return self._outputs[reference]

    def take_in(self, definition: llb_pb2.Definition) -> Output | None:
        """A graph from the client, with the lines it was made from."""
        decoded = decode_definition(definition)
        self.places.update(decoded.places)
        return decoded.output

    # --- results ---------------------------------------------------------------------------------------------------------------

    def encode_ref(self, output: Output | None) -> pb.Ref:
        return pb.Ref(id=self.add(output), definition=encode_definition(output))

    def decode_ref(self, ref: pb.Ref) -> Output | None:
        if ref.id and ref.id not in self._outputs and ref.HasField("definition"):
            return self.take_in(ref.definition)
        return self.find(ref.id)

    def encode_result(self, result: BuildResult) -> pb.Result:
        out = pb.Result(metadata=result.metadata)
        if set(result.roots) <= {""}:
            out.ref.CopyFrom(self.encode_ref(result.roots.get("")))
        else:
            out.refs.SetInParent()
            for key, root in result.roots.items():
                out.refs.refs[key].CopyFrom(self.encode_ref(root))
        for key, attestations in result.attestations.items():
            out.attestations[key].attestations.extend(self.encode_attestation(each) for each in attestations)
        return out

    def decode_result(self, result: pb.Result) -> BuildResult:
        match result.WhichOneof("result"):
            case "ref":
                roots: Mapping[str, Output | None] = {"": self.decode_ref(result.ref)}
            case "refs":
                roots = {key: self.decode_ref(ref) for key, ref in result.refs.refs.items()}
            case "old_ref":
                roots = {"": self.find(result.old_ref)}
            case "old_refs":
                roots = {key: self.find(ref) for key, ref in result.old_refs.refs.items()}
            case _:
                roots = {}
        return BuildResult(
            roots=roots,
            metadata=dict(result.metadata),
            attestations={
                key: [self.decode_attestation(each) for each in group.attestations]
                for key, group in result.attestations.items()
            },
        )

    def encode_attestation(self, attestation: Attestation) -> pb.Attestation:
        kind = next((number for number, name in IN_TOTO_KINDS.items() if name == attestation.kind), pb.IN_TOTO)
        out = pb.Attestation(kind=kind, path=attestation.path, predicate_type=attestation.predicate_type)
        if attestation.root is not None:
            out.ref.CopyFrom(self.encode_ref(attestation.root))
        if attestation.reason:
            out.metadata["reason"] = attestation.reason.encode()
        if attestation.predicate:
            out.metadata["predicate"] = attestation.predicate
        return out

    def decode_attestation(self, attestation: pb.Attestation) -> Attestation:
        if attestation.kind not in IN_TOTO_KINDS:
            raise InvalidParameter(f"unknown attestation kind {attestation.kind}")
        return Attestation(
            kind=IN_TOTO_KINDS[attestation.kind],
            root=self.decode_ref(attestation.ref) if attestation.HasField("ref") else None,
            path=attestation.path,
            predicate=attestation.metadata.get("predicate", b""),
            predicate_type=attestation.predicate_type,
            reason=attestation.metadata.get("reason", b"").decode(errors="replace"),
        )

    # --- errors ----------------------------------------------------------------------------------------------------------------

    def explain(self, error: BaseException, frontend: str = "") -> RpcError:
        """The error with what clients show beside it: the lines it comes from, the step, the exit code."""
        plain = rpc_error(error)
        if isinstance(error, EngineError) and not isinstance(error, Cancelled):
            plain = RpcError(
                StatusCode.UNKNOWN, plain.message
            )  # Docker: clients put the names of other codes before the text
        details: list[Detail] = list(plain.details)
        places: Sequence[Place] = ()
        if isinstance(error, StepFailed):
            places = self.places.get(error.vertex.digest, ())
        if isinstance(error, DockerfileError) and error.filename:
            file = SourceFile(filename=error.filename, data=error.data)
            places = [(file, tuple(SourceRange(start_line=each.start, end_line=each.end) for each in error.ranges))]
        if frontend and not isinstance(error, StepFailed):
            details.append(json_detail("errdefs.Frontend", {"name": frontend}))
        details += [source_detail(file, ranges) for file, ranges in places]
        if isinstance(error, StepFailed):
            details.append(json_detail("errdefs.Vertex", {"digest": error.vertex.digest}))
        if isinstance(error, ProcessFailed):
            details.append(json_detail("gatewayapi.ExitMessage", {"Code": error.exit_code}))
        return RpcError(plain.code, plain.message, details)


def source_detail(file: SourceFile, ranges: Sequence[SourceRange]) -> Detail:
    info: dict[str, object] = {"filename": file.filename, "data": base64.b64encode(file.data).decode()}
    if file.language:
        info["language"] = file.language
    lines = [json_format.MessageToDict(encode_range(each), preserving_proto_field_name=True) for each in ranges]
    return json_detail("errdefs.Source", {"info": info, "ranges": lines})


def json_detail(name: str, value: object) -> Detail:
    """# Docker: these details are JSON, whatever gRPC's are otherwise."""
    return f"{TYPE_PREFIX}{name}+json", msgspec.json.encode(value)
