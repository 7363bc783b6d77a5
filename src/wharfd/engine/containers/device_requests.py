"""`HostConfig.DeviceRequests`: which devices of vendors a container asks for, as names of the Container Device Interface.

Docker: `--device vendor.com/class=name` is a request of the driver `cdi`, `--gpus` one without a driver (or of `nvidia`) that names
capabilities; here it is answered by the CDI specification of nvidia.com/gpu, which the vendor's toolkit writes.
"""

from collections.abc import Sequence

from wharfd.model.config import DeviceRequest
from wharfd.model.errors import InvalidParameter
from wharfd.wire.cdi import CdiSpec

GPU = "nvidia.com/gpu"


def requested_devices(requests: Sequence[DeviceRequest], specs: Sequence[CdiSpec]) -> list[str]:
    """Raises InvalidParameter: a request that no driver answers (dockerd's texts)."""
    names: list[str] = []
    for request in requests:
        if request.driver == "cdi":
            names += cdi_devices(request)
        else:
            names += gpu_devices(request, specs)
    return names


def cdi_devices(request: DeviceRequest) -> list[str]:
    if request.count:
        raise InvalidParameter("unexpected count in CDI device request")
    if request.options:
        raise InvalidParameter("unexpected options in CDI device request")
    return list(request.device_ids or ())


def gpu_devices(request: DeviceRequest, specs: Sequence[CdiSpec]) -> list[str]:
    known = list(dict.fromkeys(name for spec in specs if spec.kind == GPU for name in spec.devices))
    wants_gpu = any("gpu" in one for one in request.capabilities or ())
    if request.driver not in ("", "nvidia") or not wants_gpu or not known:
        wanted = "[" + " ".join(f"[{' '.join(one)}]" for one in request.capabilities or ()) + "]"
        raise InvalidParameter(f'could not select device driver "{request.driver}" with capabilities: {wanted}')
    if request.device_ids:
        if request.count:
            raise InvalidParameter("cannot set both Count and DeviceIDs on device request")
        return [f"{GPU}={name}" for name in request.device_ids]
    if request.count < 0:
        chosen = ["all"] if "all" in known else known
    else:
        chosen = [name for name in known if name.isdecimal()][: request.count]
    return [f"{GPU}={name}" for name in chosen]
