from typing import cast

from wharfd.api.grpc.control import exports_of
from wharfd.api.grpc.session_client import SessionClient
from wharfd.wire.proto import control_pb2 as pb

NOBODY = cast(SessionClient, None)  # asked only for results that go to the client


def test_the_time_of_a_build_is_that_of_its_outputs_too() -> None:
    request = pb.SolveRequest(frontend_attrs={"build-arg:SOURCE_DATE_EPOCH": "7"})
    request.exporters.add(type="moby", attrs={"name": "a"})
    request.exporters.add(type="image", attrs={"source-date-epoch": "8"})
    assert [(each.type, each.attributes.get("source-date-epoch")) for each in exports_of(request, NOBODY)] == [
        ("image", "7"),
        ("image", "8"),
    ]
