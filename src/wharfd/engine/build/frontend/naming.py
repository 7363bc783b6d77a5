"""How steps are called: `[stage 2/5] RUN make`, `[linux/arm64 build 1/3] FROM …`, `[internal] load build context`."""

from collections.abc import Mapping
from dataclasses import dataclass

from wharfd.model.errors import InvalidParameter
from wharfd.wire.dockerfile.errors import DockerfileError
from wharfd.wire.dockerfile.words import Rules, expand
from wharfd.wire.oci import Platform, format_platform, normalise, parse_platform

COMMAND = "com.docker.dockerfile.v1.command"


def internal(name: str) -> str:
    return f"[internal] {name}"


@dataclass(slots=True, kw_only=True)
class Counter:
    """Numbers the steps of a stage.  `platform`: shown only if a build is for several."""

    stage_name: str = ""
    platform: Platform | None = None
    total: int = 0
    reached: int = 0

    def advance(self) -> None:
        self.reached += 1

    def label(self, text: str, env: Mapping[str, str], *, is_trigger: bool = False) -> str:
        """The name of the present step."""
        if not self.total:
            return text
        parts = []
        if self.platform is not None:
            parts.append(format_platform(self.platform) + cross_target(self.platform, env))
        if self.stage_name:
            parts.append(self.stage_name)
        parts.append(f"{self.reached:{len(str(self.total))}}/{self.total}")
        return f"[{' '.join(parts)}] {'ONBUILD ' if is_trigger else ''}{text}"


def command_text(source: str, env: Mapping[str, str], rules: Rules) -> str:
    """An instruction as it is shown: its name in capitals, variables replaced where that works."""
    try:
        text = expand(source, env, rules).text
    except DockerfileError:
        text = source
    name, blank, rest = text.partition(" ")
    return f"{name.upper()}{blank}{rest}"


def summary(content: str) -> str:
    """A here-document's first line."""
    first, newline, _ = content.strip().replace("\r\n", "\n").partition("\n")
    return f"{first}..." if newline else first


def cross_target(base: Platform, env: Mapping[str, str]) -> str:
    """`->arm64` for steps that run on one platform and make files for another, which is told by TARGET… variables."""
    target = target_of(base, env)
    if target is None:
        return ""
    if target.os != base.os:
        return f"->{format_platform(target)}"
    if target.architecture == base.architecture:
        return ""
    return f"->{target.architecture}{'/' + target.variant if target.variant else ''}"


def target_of(base: Platform, env: Mapping[str, str]) -> Platform | None:
    if "TARGETPLATFORM" in env:
        try:
            return normalise(parse_platform(env["TARGETPLATFORM"], base))
        except InvalidParameter:
            pass
    found = [env.get(name, "") for name in ("TARGETOS", "TARGETARCH", "TARGETVARIANT")]
    if not any(name in env for name in ("TARGETOS", "TARGETARCH", "TARGETVARIANT")):
        return None
    target = Platform(os=found[0] or base.os, architecture=found[1] or base.architecture, variant=found[2])
    return normalise(target)
