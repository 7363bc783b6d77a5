"""Requests for vendors' devices, and dockerd's words for what nobody answers."""

import pytest

from wharfd.engine.containers.device_requests import requested_devices
from wharfd.model.config import DeviceRequest
from wharfd.model.errors import InvalidParameter
from wharfd.wire.cdi import CdiSpec, Edits

GPUS = CdiSpec("nvidia.com/gpu", "f", Edits(), {"0": Edits(), "1": Edits(), "all": Edits()})


def gpu(**more: object) -> DeviceRequest:
    return DeviceRequest(capabilities=[["gpu"]], **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("request_", "names"),
    [
        (DeviceRequest(driver="cdi", device_ids=["a.b/c=d", "a.b/c=e"]), ["a.b/c=d", "a.b/c=e"]),
        (gpu(count=-1), ["nvidia.com/gpu=all"]),
        (gpu(count=1), ["nvidia.com/gpu=0"]),
        (gpu(count=2, driver="nvidia"), ["nvidia.com/gpu=0", "nvidia.com/gpu=1"]),
        (gpu(device_ids=["1"]), ["nvidia.com/gpu=1"]),
    ],
)
def test_names_of_devices(request_: DeviceRequest, names: list[str]) -> None:
    assert requested_devices([request_], [GPUS]) == names


@pytest.mark.parametrize(
    ("request_", "specs", "text"),
    [
        (gpu(count=-1), [], 'could not select device driver "" with capabilities: [[gpu]]'),
        (DeviceRequest(driver="x"), [GPUS], 'could not select device driver "x" with capabilities: []'),
        (
            DeviceRequest(capabilities=[["tpu", "fast"], ["b"]]),
            [GPUS],
            'could not select device driver "" with capabilities: [[tpu fast] [b]]',
        ),
        (DeviceRequest(driver="cdi", count=1), [GPUS], "unexpected count in CDI device request"),
        (DeviceRequest(driver="cdi", options={"a": "b"}), [GPUS], "unexpected options in CDI device request"),
        (gpu(device_ids=["1"], count=1), [GPUS], "cannot set both Count and DeviceIDs on device request"),
    ],
)
def test_what_nobody_answers(request_: DeviceRequest, specs: list[CdiSpec], text: str) -> None:
    with pytest.raises(InvalidParameter) as caught:
        requested_devices([request_], specs)
    assert str(caught.value) == text
