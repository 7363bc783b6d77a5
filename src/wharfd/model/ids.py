"""Names for the strings that identify things, so that the type checker tells them apart."""

from typing import NewType

ContainerId = NewType("ContainerId", str)  # 64 hex digits
ExecId = NewType("ExecId", str)  # 64 hex digits
NetworkId = NewType("NetworkId", str)  # 64 hex digits
EndpointId = NewType("EndpointId", str)  # 64 hex digits
Digest = NewType("Digest", str)  # "sha256:" and 64 hex digits
ImageId = NewType("ImageId", str)  # the digest of an index or manifest, as a Digest
ChainId = NewType("ChainId", str)  # identifies a stack of layers (OCI image spec, "Layer ChainID"), as a Digest
VolumeName = NewType("VolumeName", str)


def short_id(identifier: str) -> str:
    """The 12 characters that people see."""
    return identifier.removeprefix("sha256:")[:12]
