import pytest

from tests.unit.engine.build.frontend.rig import AMD64
from wharfd.engine.build.frontend.rules import CheckOptions, parse_check_options
from wharfd.engine.build.frontend.settings import Settings, settings_of
from wharfd.engine.build.ops import ExtraHost, NetworkMode, ResolveMode, Rlimit
from wharfd.model.errors import InvalidParameter
from wharfd.wire.oci import Platform


def test_everything() -> None:
    found = settings_of(
        {
            "build-arg:A": "1",
            "build-arg:SOURCE_DATE_EPOCH": "2",
            "build-arg:BUILDKIT_CACHE_MOUNT_NS": "ns",
            "build-arg:BUILDKIT_SANDBOX_HOSTNAME": "box",
            "label:l": "v",
            "context:c": "local:c",
            "target": "t",
            "platform": "linux/arm64,linux/arm/v7",
            "no-cache": "a,b",
            "image-resolve-mode": "pull",
            "force-network-mode": "none",
            "add-hosts": "A=1.2.3.4,b=::1",
            "ulimit": "nofile=1:2",
            "shm-size": "64",
            "hostname": "other",
            "cgroup-parent": "/p",
            "device": "vendor.com/class=x",
            "unknown": "is ignored",
        },
        AMD64,
    )
    assert found == Settings(
        build_args={
            "A": "1",
            "SOURCE_DATE_EPOCH": "2",
            "BUILDKIT_CACHE_MOUNT_NS": "ns",
            "BUILDKIT_SANDBOX_HOSTNAME": "box",
        },
        labels={"l": "v"},
        contexts={"c": "local:c"},
        target="t",
        platforms=(Platform(os="linux", architecture="arm64"), Platform(os="linux", architecture="arm", variant="v7")),
        is_multi_platform=True,
        uncached=("a", "b"),
        resolve_mode=ResolveMode.PULL,
        network=NetworkMode.NONE,
        extra_hosts=(ExtraHost(host="a", ip="1.2.3.4"), ExtraHost(host="b", ip="::1")),
        ulimits=(Rlimit(name="nofile", soft=1, hard=2),),
        shm_size=64,
        hostname="box",
        cgroup_parent="/p",
        devices=("vendor.com/class=x",),
        cache_namespace="ns",
        epoch_ns=2 * 10**9,
    )


def test_nothing() -> None:
    assert settings_of({}, AMD64) == Settings()


@pytest.mark.parametrize(
    ("attributes", "is_multi"),
    [
        ({"platform": "linux/arm64"}, False),
        ({"platform": "linux/arm64", "multi-platform": "true"}, True),
        ({"build-arg:BUILDKIT_MULTI_PLATFORM": "1"}, True),
    ],
)
def test_many_platforms(attributes: dict[str, str], is_multi: bool) -> None:
    assert settings_of(attributes, AMD64).is_multi_platform is is_multi


@pytest.mark.parametrize(
    ("value", "stage", "is_ignored"),
    [(None, "a", False), ("", "a", True), ("", "", True), ("A,b", "a", True), ("b", "a", False), ("b", "", False)],
)
def test_stages_without_cache(value: str | None, stage: str, is_ignored: bool) -> None:
    attributes = {} if value is None else {"no-cache": value}
    assert settings_of(attributes, AMD64).ignores_cache(stage) is is_ignored


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        (
            {"platform": "linux/a/b/c"},
            'failed to parse target platform linux/a/b/c: "linux/a/b/c": cannot parse platform specifier: invalid argument',
        ),
        ({"image-resolve-mode": "x"}, "invalid image-resolve-mode: x"),
        ({"force-network-mode": "bridge"}, "invalid netmode bridge"),
        ({"add-hosts": "a"}, "failed to parse additional hosts: invalid key-value pair a"),
        ({"add-hosts": "a=b"}, "failed to parse additional hosts: failed to parse IP b"),
        ({"add-hosts": '"a'}, None),
        ({"ulimit": "nofile"}, "failed to parse ulimit: invalid ulimit argument: nofile"),
        ({"shm-size": "64m"}, 'failed to parse shm-size: strconv.ParseInt: parsing "64m": invalid syntax'),
        (
            {"build-arg:SOURCE_DATE_EPOCH": "now"},
            'invalid SOURCE_DATE_EPOCH: now: strconv.ParseInt: parsing "now": invalid syntax',
        ),
        ({"multi-platform": "maybe"}, "invalid boolean value for multi-platform: maybe"),
        (
            {"multi-platform": "false", "platform": "linux/arm64,linux/amd64"},
            "conflicting config: returning multiple target platforms is not allowed",
        ),
        ({"build-arg:BUILDKIT_DOCKERFILE_CHECK": "x"}, 'invalid check option "x"'),
    ],
)
def test_what_is_refused(attributes: dict[str, str], message: str | None) -> None:
    with pytest.raises(InvalidParameter) as caught:
        settings_of(attributes, AMD64)
    assert message is None or str(caught.value) == message


@pytest.mark.parametrize(
    ("text", "options"),
    [
        ("", CheckOptions()),
        (" skip = A, B ;error=true", CheckOptions(skipped=frozenset("AB"), is_error=True)),
        ("skip=all", CheckOptions(skipped=frozenset({"all"}), skips_all=True)),
        ("experimental=all;error=0", CheckOptions(experimental=frozenset({"all"}), takes_all=True)),
    ],
)
def test_check_options(text: str, options: CheckOptions) -> None:
    assert parse_check_options(text) == options
