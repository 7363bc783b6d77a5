"""Media types of image documents and layers: OCI image spec 1.1 and Docker's schema 2, which mean the same."""

OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
OCI_LAYER = "application/vnd.oci.image.layer.v1.tar"
OCI_LAYER_GZIP = f"{OCI_LAYER}+gzip"
OCI_LAYER_ZSTD = f"{OCI_LAYER}+zstd"
OCI_LAYER_NONDISTRIBUTABLE = "application/vnd.oci.image.layer.nondistributable.v1.tar"
OCI_EMPTY = "application/vnd.oci.empty.v1+json"

DOCKER_INDEX = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_MANIFEST_V1 = "application/vnd.docker.distribution.manifest.v1+json"
DOCKER_MANIFEST_V1_SIGNED = "application/vnd.docker.distribution.manifest.v1+prettyjws"
DOCKER_CONFIG = "application/vnd.docker.container.image.v1+json"
DOCKER_LAYER = "application/vnd.docker.image.rootfs.diff.tar"
DOCKER_LAYER_GZIP = f"{DOCKER_LAYER}.gzip"
DOCKER_LAYER_ZSTD = f"{DOCKER_LAYER}.zstd"
DOCKER_LAYER_FOREIGN = "application/vnd.docker.image.rootfs.foreign.diff.tar"
DOCKER_LAYER_FOREIGN_GZIP = f"{DOCKER_LAYER_FOREIGN}.gzip"

INDEXES = frozenset({OCI_INDEX, DOCKER_INDEX})
MANIFESTS = frozenset({OCI_MANIFEST, DOCKER_MANIFEST})
CONFIGS = frozenset({OCI_CONFIG, DOCKER_CONFIG})
SCHEMA_1 = frozenset({DOCKER_MANIFEST_V1, DOCKER_MANIFEST_V1_SIGNED})
ACCEPT = (OCI_INDEX, OCI_MANIFEST, DOCKER_INDEX, DOCKER_MANIFEST)  # for a registry's `Accept`, the preferred first

_LAYER_BASES = (OCI_LAYER, OCI_LAYER_NONDISTRIBUTABLE, DOCKER_LAYER, DOCKER_LAYER_FOREIGN)
_COMPRESSIONS = {"": "", "+gzip": "gzip", ".gzip": "gzip", "+zstd": "zstd", ".zstd": "zstd"}


def is_layer(media_type: str) -> bool:
    return layer_compression(media_type) is not None


def layer_compression(media_type: str) -> str | None:
    """`gzip`, `zstd` or "" (none) as a layer's media type says; None if it names no layer of a root file system."""
    for base in _LAYER_BASES:
        if media_type.startswith(base):
            return _COMPRESSIONS.get(media_type[len(base) :])
    return None


def is_foreign_layer(media_type: str) -> bool:
    """A layer that may not be pushed to other registries."""
    return media_type.startswith((OCI_LAYER_NONDISTRIBUTABLE, DOCKER_LAYER_FOREIGN))


def layer_type(compression: str) -> str:
    """The OCI media type of a layer compressed with `gzip`, `zstd` or "" (not at all)."""
    return f"{OCI_LAYER}+{compression}" if compression else OCI_LAYER
