from wharfd.wire.proto import control_pb2 as _control_pb2
from wharfd.wire.proto import fsutil_pb2 as _fsutil_pb2
from wharfd.wire.proto import llb_pb2 as _llb_pb2
from wharfd.wire.proto import policy_pb2 as _policy_pb2
from wharfd.wire.proto import status_pb2 as _status_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class AttestationKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    IN_TOTO: _ClassVar[AttestationKind]
    BUNDLE: _ClassVar[AttestationKind]

class SubjectKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SELF: _ClassVar[SubjectKind]
    RAW: _ClassVar[SubjectKind]
IN_TOTO: AttestationKind
BUNDLE: AttestationKind
SELF: SubjectKind
RAW: SubjectKind

class Result(_message.Message):
    __slots__ = ("old_ref", "old_refs", "ref", "refs", "metadata", "attestations")
    class MetadataEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: bytes
        def __init__(self, key: _Optional[str] = ..., value: _Optional[bytes] = ...) -> None: ...
    class AttestationsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Attestations
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Attestations, _Mapping]] = ...) -> None: ...
    OLD_REF_FIELD_NUMBER: _ClassVar[int]
    OLD_REFS_FIELD_NUMBER: _ClassVar[int]
    REF_FIELD_NUMBER: _ClassVar[int]
    REFS_FIELD_NUMBER: _ClassVar[int]
    METADATA_FIELD_NUMBER: _ClassVar[int]
    ATTESTATIONS_FIELD_NUMBER: _ClassVar[int]
    old_ref: str
    old_refs: OldRefMap
    ref: Ref
    refs: RefMap
    metadata: _containers.ScalarMap[str, bytes]
    attestations: _containers.MessageMap[str, Attestations]
    def __init__(self, old_ref: _Optional[str] = ..., old_refs: _Optional[_Union[OldRefMap, _Mapping]] = ..., ref: _Optional[_Union[Ref, _Mapping]] = ..., refs: _Optional[_Union[RefMap, _Mapping]] = ..., metadata: _Optional[_Mapping[str, bytes]] = ..., attestations: _Optional[_Mapping[str, Attestations]] = ...) -> None: ...

class OldRefMap(_message.Message):
    __slots__ = ("refs",)
    class RefsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    REFS_FIELD_NUMBER: _ClassVar[int]
    refs: _containers.ScalarMap[str, str]
    def __init__(self, refs: _Optional[_Mapping[str, str]] = ...) -> None: ...

class Ref(_message.Message):
    __slots__ = ("id", "definition")
    ID_FIELD_NUMBER: _ClassVar[int]
    DEFINITION_FIELD_NUMBER: _ClassVar[int]
    id: str
    definition: _llb_pb2.Definition
    def __init__(self, id: _Optional[str] = ..., definition: _Optional[_Union[_llb_pb2.Definition, _Mapping]] = ...) -> None: ...

class RefMap(_message.Message):
    __slots__ = ("refs",)
    class RefsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Ref
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Ref, _Mapping]] = ...) -> None: ...
    REFS_FIELD_NUMBER: _ClassVar[int]
    refs: _containers.MessageMap[str, Ref]
    def __init__(self, refs: _Optional[_Mapping[str, Ref]] = ...) -> None: ...

class Attestations(_message.Message):
    __slots__ = ("attestations",)
    ATTESTATIONS_FIELD_NUMBER: _ClassVar[int]
    attestations: _containers.RepeatedCompositeFieldContainer[Attestation]
    def __init__(self, attestations: _Optional[_Iterable[_Union[Attestation, _Mapping]]] = ...) -> None: ...

class Attestation(_message.Message):
    __slots__ = ("kind", "metadata", "ref", "path", "predicate_type", "subjects")
    class MetadataEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: bytes
        def __init__(self, key: _Optional[str] = ..., value: _Optional[bytes] = ...) -> None: ...
    KIND_FIELD_NUMBER: _ClassVar[int]
    METADATA_FIELD_NUMBER: _ClassVar[int]
    REF_FIELD_NUMBER: _ClassVar[int]
    PATH_FIELD_NUMBER: _ClassVar[int]
    PREDICATE_TYPE_FIELD_NUMBER: _ClassVar[int]
    SUBJECTS_FIELD_NUMBER: _ClassVar[int]
    kind: AttestationKind
    metadata: _containers.ScalarMap[str, bytes]
    ref: Ref
    path: str
    predicate_type: str
    subjects: _containers.RepeatedCompositeFieldContainer[Subject]
    def __init__(self, kind: _Optional[_Union[AttestationKind, str]] = ..., metadata: _Optional[_Mapping[str, bytes]] = ..., ref: _Optional[_Union[Ref, _Mapping]] = ..., path: _Optional[str] = ..., predicate_type: _Optional[str] = ..., subjects: _Optional[_Iterable[_Union[Subject, _Mapping]]] = ...) -> None: ...

class Subject(_message.Message):
    __slots__ = ("kind", "digests", "name")
    KIND_FIELD_NUMBER: _ClassVar[int]
    DIGESTS_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    kind: SubjectKind
    digests: _containers.RepeatedScalarFieldContainer[str]
    name: str
    def __init__(self, kind: _Optional[_Union[SubjectKind, str]] = ..., digests: _Optional[_Iterable[str]] = ..., name: _Optional[str] = ...) -> None: ...

class ReturnRequest(_message.Message):
    __slots__ = ("result", "error")
    RESULT_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    result: Result
    error: _status_pb2.Status
    def __init__(self, result: _Optional[_Union[Result, _Mapping]] = ..., error: _Optional[_Union[_status_pb2.Status, _Mapping]] = ...) -> None: ...

class ReturnResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class InputsRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class InputsResponse(_message.Message):
    __slots__ = ("definitions",)
    class DefinitionsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: _llb_pb2.Definition
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[_llb_pb2.Definition, _Mapping]] = ...) -> None: ...
    DEFINITIONS_FIELD_NUMBER: _ClassVar[int]
    definitions: _containers.MessageMap[str, _llb_pb2.Definition]
    def __init__(self, definitions: _Optional[_Mapping[str, _llb_pb2.Definition]] = ...) -> None: ...

class ResolveImageConfigRequest(_message.Message):
    __slots__ = ("ref", "platform", "resolve_mode", "log_name", "resolver_type", "session", "store", "source_policies")
    REF_FIELD_NUMBER: _ClassVar[int]
    PLATFORM_FIELD_NUMBER: _ClassVar[int]
    RESOLVE_MODE_FIELD_NUMBER: _ClassVar[int]
    LOG_NAME_FIELD_NUMBER: _ClassVar[int]
    RESOLVER_TYPE_FIELD_NUMBER: _ClassVar[int]
    SESSION_FIELD_NUMBER: _ClassVar[int]
    STORE_FIELD_NUMBER: _ClassVar[int]
    SOURCE_POLICIES_FIELD_NUMBER: _ClassVar[int]
    ref: str
    platform: _llb_pb2.Platform
    resolve_mode: str
    log_name: str
    resolver_type: int
    session: str
    store: str
    source_policies: _containers.RepeatedCompositeFieldContainer[_policy_pb2.Policy]
    def __init__(self, ref: _Optional[str] = ..., platform: _Optional[_Union[_llb_pb2.Platform, _Mapping]] = ..., resolve_mode: _Optional[str] = ..., log_name: _Optional[str] = ..., resolver_type: _Optional[int] = ..., session: _Optional[str] = ..., store: _Optional[str] = ..., source_policies: _Optional[_Iterable[_Union[_policy_pb2.Policy, _Mapping]]] = ...) -> None: ...

class ResolveImageConfigResponse(_message.Message):
    __slots__ = ("digest", "config", "ref")
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    CONFIG_FIELD_NUMBER: _ClassVar[int]
    REF_FIELD_NUMBER: _ClassVar[int]
    digest: str
    config: bytes
    ref: str
    def __init__(self, digest: _Optional[str] = ..., config: _Optional[bytes] = ..., ref: _Optional[str] = ...) -> None: ...

class ResolveSourceMetaRequest(_message.Message):
    __slots__ = ("source", "platform", "log_name", "resolve_mode", "source_policies")
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    PLATFORM_FIELD_NUMBER: _ClassVar[int]
    LOG_NAME_FIELD_NUMBER: _ClassVar[int]
    RESOLVE_MODE_FIELD_NUMBER: _ClassVar[int]
    SOURCE_POLICIES_FIELD_NUMBER: _ClassVar[int]
    source: _llb_pb2.SourceOp
    platform: _llb_pb2.Platform
    log_name: str
    resolve_mode: str
    source_policies: _containers.RepeatedCompositeFieldContainer[_policy_pb2.Policy]
    def __init__(self, source: _Optional[_Union[_llb_pb2.SourceOp, _Mapping]] = ..., platform: _Optional[_Union[_llb_pb2.Platform, _Mapping]] = ..., log_name: _Optional[str] = ..., resolve_mode: _Optional[str] = ..., source_policies: _Optional[_Iterable[_Union[_policy_pb2.Policy, _Mapping]]] = ...) -> None: ...

class ResolveSourceMetaResponse(_message.Message):
    __slots__ = ("source", "image")
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    IMAGE_FIELD_NUMBER: _ClassVar[int]
    source: _llb_pb2.SourceOp
    image: ResolvedImage
    def __init__(self, source: _Optional[_Union[_llb_pb2.SourceOp, _Mapping]] = ..., image: _Optional[_Union[ResolvedImage, _Mapping]] = ...) -> None: ...

class ResolvedImage(_message.Message):
    __slots__ = ("digest", "config")
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    CONFIG_FIELD_NUMBER: _ClassVar[int]
    digest: str
    config: bytes
    def __init__(self, digest: _Optional[str] = ..., config: _Optional[bytes] = ...) -> None: ...

class SolveRequest(_message.Message):
    __slots__ = ("definition", "frontend", "frontend_opt", "allow_result_return", "allow_result_array_ref", "final", "exporter_attr", "cache_imports", "frontend_inputs", "evaluate", "source_policies")
    class FrontendOptEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    class FrontendInputsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: _llb_pb2.Definition
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[_llb_pb2.Definition, _Mapping]] = ...) -> None: ...
    DEFINITION_FIELD_NUMBER: _ClassVar[int]
    FRONTEND_FIELD_NUMBER: _ClassVar[int]
    FRONTEND_OPT_FIELD_NUMBER: _ClassVar[int]
    ALLOW_RESULT_RETURN_FIELD_NUMBER: _ClassVar[int]
    ALLOW_RESULT_ARRAY_REF_FIELD_NUMBER: _ClassVar[int]
    FINAL_FIELD_NUMBER: _ClassVar[int]
    EXPORTER_ATTR_FIELD_NUMBER: _ClassVar[int]
    CACHE_IMPORTS_FIELD_NUMBER: _ClassVar[int]
    FRONTEND_INPUTS_FIELD_NUMBER: _ClassVar[int]
    EVALUATE_FIELD_NUMBER: _ClassVar[int]
    SOURCE_POLICIES_FIELD_NUMBER: _ClassVar[int]
    definition: _llb_pb2.Definition
    frontend: str
    frontend_opt: _containers.ScalarMap[str, str]
    allow_result_return: bool
    allow_result_array_ref: bool
    final: bool
    exporter_attr: bytes
    cache_imports: _containers.RepeatedCompositeFieldContainer[_control_pb2.CacheEntry]
    frontend_inputs: _containers.MessageMap[str, _llb_pb2.Definition]
    evaluate: bool
    source_policies: _containers.RepeatedCompositeFieldContainer[_policy_pb2.Policy]
    def __init__(self, definition: _Optional[_Union[_llb_pb2.Definition, _Mapping]] = ..., frontend: _Optional[str] = ..., frontend_opt: _Optional[_Mapping[str, str]] = ..., allow_result_return: bool = ..., allow_result_array_ref: bool = ..., final: bool = ..., exporter_attr: _Optional[bytes] = ..., cache_imports: _Optional[_Iterable[_Union[_control_pb2.CacheEntry, _Mapping]]] = ..., frontend_inputs: _Optional[_Mapping[str, _llb_pb2.Definition]] = ..., evaluate: bool = ..., source_policies: _Optional[_Iterable[_Union[_policy_pb2.Policy, _Mapping]]] = ...) -> None: ...

class SolveResponse(_message.Message):
    __slots__ = ("ref", "result")
    REF_FIELD_NUMBER: _ClassVar[int]
    RESULT_FIELD_NUMBER: _ClassVar[int]
    ref: str
    result: Result
    def __init__(self, ref: _Optional[str] = ..., result: _Optional[_Union[Result, _Mapping]] = ...) -> None: ...

class FileRange(_message.Message):
    __slots__ = ("offset", "length")
    OFFSET_FIELD_NUMBER: _ClassVar[int]
    LENGTH_FIELD_NUMBER: _ClassVar[int]
    offset: int
    length: int
    def __init__(self, offset: _Optional[int] = ..., length: _Optional[int] = ...) -> None: ...

class ReadFileRequest(_message.Message):
    __slots__ = ("ref", "path", "range")
    REF_FIELD_NUMBER: _ClassVar[int]
    PATH_FIELD_NUMBER: _ClassVar[int]
    RANGE_FIELD_NUMBER: _ClassVar[int]
    ref: str
    path: str
    range: FileRange
    def __init__(self, ref: _Optional[str] = ..., path: _Optional[str] = ..., range: _Optional[_Union[FileRange, _Mapping]] = ...) -> None: ...

class ReadFileResponse(_message.Message):
    __slots__ = ("data",)
    DATA_FIELD_NUMBER: _ClassVar[int]
    data: bytes
    def __init__(self, data: _Optional[bytes] = ...) -> None: ...

class ReadDirRequest(_message.Message):
    __slots__ = ("ref", "path", "include_pattern")
    REF_FIELD_NUMBER: _ClassVar[int]
    PATH_FIELD_NUMBER: _ClassVar[int]
    INCLUDE_PATTERN_FIELD_NUMBER: _ClassVar[int]
    ref: str
    path: str
    include_pattern: str
    def __init__(self, ref: _Optional[str] = ..., path: _Optional[str] = ..., include_pattern: _Optional[str] = ...) -> None: ...

class ReadDirResponse(_message.Message):
    __slots__ = ("entries",)
    ENTRIES_FIELD_NUMBER: _ClassVar[int]
    entries: _containers.RepeatedCompositeFieldContainer[_fsutil_pb2.Stat]
    def __init__(self, entries: _Optional[_Iterable[_Union[_fsutil_pb2.Stat, _Mapping]]] = ...) -> None: ...

class StatFileRequest(_message.Message):
    __slots__ = ("ref", "path")
    REF_FIELD_NUMBER: _ClassVar[int]
    PATH_FIELD_NUMBER: _ClassVar[int]
    ref: str
    path: str
    def __init__(self, ref: _Optional[str] = ..., path: _Optional[str] = ...) -> None: ...

class StatFileResponse(_message.Message):
    __slots__ = ("stat",)
    STAT_FIELD_NUMBER: _ClassVar[int]
    stat: _fsutil_pb2.Stat
    def __init__(self, stat: _Optional[_Union[_fsutil_pb2.Stat, _Mapping]] = ...) -> None: ...

class EvaluateRequest(_message.Message):
    __slots__ = ("ref",)
    REF_FIELD_NUMBER: _ClassVar[int]
    ref: str
    def __init__(self, ref: _Optional[str] = ...) -> None: ...

class EvaluateResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class PingRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class PongResponse(_message.Message):
    __slots__ = ("frontend_caps", "llb_caps", "workers")
    FRONTEND_CAPS_FIELD_NUMBER: _ClassVar[int]
    LLB_CAPS_FIELD_NUMBER: _ClassVar[int]
    WORKERS_FIELD_NUMBER: _ClassVar[int]
    frontend_caps: _containers.RepeatedCompositeFieldContainer[Cap]
    llb_caps: _containers.RepeatedCompositeFieldContainer[Cap]
    workers: _containers.RepeatedCompositeFieldContainer[_control_pb2.WorkerRecord]
    def __init__(self, frontend_caps: _Optional[_Iterable[_Union[Cap, _Mapping]]] = ..., llb_caps: _Optional[_Iterable[_Union[Cap, _Mapping]]] = ..., workers: _Optional[_Iterable[_Union[_control_pb2.WorkerRecord, _Mapping]]] = ...) -> None: ...

class Cap(_message.Message):
    __slots__ = ("id", "enabled", "deprecated", "disabled_reason", "disabled_reason_message", "disabled_alternative")
    ID_FIELD_NUMBER: _ClassVar[int]
    ENABLED_FIELD_NUMBER: _ClassVar[int]
    DEPRECATED_FIELD_NUMBER: _ClassVar[int]
    DISABLED_REASON_FIELD_NUMBER: _ClassVar[int]
    DISABLED_REASON_MESSAGE_FIELD_NUMBER: _ClassVar[int]
    DISABLED_ALTERNATIVE_FIELD_NUMBER: _ClassVar[int]
    id: str
    enabled: bool
    deprecated: bool
    disabled_reason: str
    disabled_reason_message: str
    disabled_alternative: str
    def __init__(self, id: _Optional[str] = ..., enabled: bool = ..., deprecated: bool = ..., disabled_reason: _Optional[str] = ..., disabled_reason_message: _Optional[str] = ..., disabled_alternative: _Optional[str] = ...) -> None: ...

class WarnRequest(_message.Message):
    __slots__ = ("digest", "level", "short", "detail", "url", "info", "ranges")
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    LEVEL_FIELD_NUMBER: _ClassVar[int]
    SHORT_FIELD_NUMBER: _ClassVar[int]
    DETAIL_FIELD_NUMBER: _ClassVar[int]
    URL_FIELD_NUMBER: _ClassVar[int]
    INFO_FIELD_NUMBER: _ClassVar[int]
    RANGES_FIELD_NUMBER: _ClassVar[int]
    digest: str
    level: int
    short: bytes
    detail: _containers.RepeatedScalarFieldContainer[bytes]
    url: str
    info: _llb_pb2.SourceInfo
    ranges: _containers.RepeatedCompositeFieldContainer[_llb_pb2.Range]
    def __init__(self, digest: _Optional[str] = ..., level: _Optional[int] = ..., short: _Optional[bytes] = ..., detail: _Optional[_Iterable[bytes]] = ..., url: _Optional[str] = ..., info: _Optional[_Union[_llb_pb2.SourceInfo, _Mapping]] = ..., ranges: _Optional[_Iterable[_Union[_llb_pb2.Range, _Mapping]]] = ...) -> None: ...

class WarnResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...
