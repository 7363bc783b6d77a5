"""Variables of FROM lines: the predefined ones (`TARGETPLATFORM` and its like) and those that ARG declares before the first stage."""

from collections.abc import Mapping

from wharfd.engine.build.ops import ProxyEnv
from wharfd.wire.dockerfile.errors import DockerfileError
from wharfd.wire.dockerfile.instructions import Dockerfile
from wharfd.wire.dockerfile.words import Rules, expand
from wharfd.wire.oci import Platform, format_platform

# Arguments that speak to the builder; they do not become variables of a process.
SILENT_ARGS = frozenset({"BUILDKIT_SBOM_SCAN_CONTEXT", "BUILDKIT_SBOM_SCAN_STAGE"})


def predefined(build: Platform, target: Platform, stage: str, build_args: Mapping[str, str]) -> dict[str, str]:
    """A build argument of the same name wins."""
    found = {**of_platform("BUILD", build), **of_platform("TARGET", target), "TARGETSTAGE": stage or "default"}
    return {name: build_args.get(name, value) for name, value in found.items()}


def of_platform(prefix: str, platform: Platform) -> dict[str, str]:
    return {
        f"{prefix}PLATFORM": format_platform(platform),
        f"{prefix}OS": platform.os,
        f"{prefix}OSVERSION": platform.os_version,
        f"{prefix}ARCH": platform.architecture,
        f"{prefix}VARIANT": platform.variant,
    }


def global_arguments(
    dockerfile: Dockerfile, given: Mapping[str, str], build_args: Mapping[str, str], rules: Rules
) -> dict[str, str]:
    """`given` and what the file declares before its first stage, each with its build argument or its default.

    Raises:
        DockerfileError: a default that cannot be expanded.
    """
    found = dict(given)
    for arg in dockerfile.global_args:
        for definition in arg.definitions:
            value = build_args.get(definition.name)
            if value is None and definition.default is not None:
                try:
                    value = expand(definition.default, found, rules).text
                except DockerfileError as e:
                    raise e.at(arg.lines) from e
            if value is not None:
                found[definition.name] = value
    return found


def declared(dockerfile: Dockerfile) -> set[str]:
    return {definition.name for arg in dockerfile.global_args for definition in arg.definitions}


def proxy_of(build_args: Mapping[str, str]) -> ProxyEnv | None:
    """Proxies need not be declared, and are no part of what is cached."""
    names = ("http_proxy", "https_proxy", "ftp_proxy", "no_proxy", "all_proxy")
    found = {name.lower(): value for name, value in build_args.items() if name.lower() in names}
    if not found:
        return None
    return ProxyEnv(
        http_proxy=found.get("http_proxy", ""),
        https_proxy=found.get("https_proxy", ""),
        ftp_proxy=found.get("ftp_proxy", ""),
        no_proxy=found.get("no_proxy", ""),
        all_proxy=found.get("all_proxy", ""),
    )
