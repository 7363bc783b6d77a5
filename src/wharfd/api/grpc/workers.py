"""The one worker that this builder has, as clients are told of it."""

from collections.abc import Callable, Mapping, Sequence

from wharfd.api.grpc.llb.encode import encode_platform
from wharfd.wire.oci import Platform, runnable
from wharfd.wire.proto.control_pb2 import BuildkitVersion, GcPolicy, WorkerRecord

PACKAGE = "wharfd"
SNAPSHOTTER = "org.mobyproject.buildkit.worker.snapshotter"
HOST_GATEWAY = "org.mobyproject.buildkit.worker.moby.host-gateway-ip"


class Workers:
    """`labels`: asked each time, since the bridge's address may change.

    Docker: with the label of a snapshotter, clients take it that the image store keeps indexes (several platforms, attestations), and that
    all exporters are there.
    """

    def __init__(
        self,
        *,
        worker_id: Callable[[], str],
        version: str,
        platform: Callable[[], Platform],
        labels: Callable[[], Mapping[str, str]],
        policies: Callable[[], Sequence[GcPolicy]] = list,
    ) -> None:
        self._worker_id = worker_id
        self._version = version
        self._platform = platform
        self._labels = labels
        self._policies = policies

    def version(self) -> BuildkitVersion:
        return BuildkitVersion(package=PACKAGE, version=f"v{self._version}")

    async def records(self) -> list[WorkerRecord]:
        return [
            WorkerRecord(
                id=self._worker_id(),
                labels=self._labels(),
                platforms=[encode_platform(each) for each in runnable(self._platform())],
                gc_policies=self._policies(),
                buildkit_version=self.version(),
            )
        ]
