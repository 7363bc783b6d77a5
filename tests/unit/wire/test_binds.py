"""Bind and mount specifications: meaning, and refusals in dockerd's words."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wharfd.model.config import BindOptions, DriverConfig, ImageOptions, MountSpec, TmpfsOptions, VolumeOptions
from wharfd.model.container import MountPoint
from wharfd.model.errors import InvalidParameter
from wharfd.wire.binds import (
    clean,
    format_bind,
    merge_tmpfs_options,
    missing_source,
    parse_bind,
    parse_mount,
    parse_volumes_from,
    tmpfs_options,
    validate_tmpfs_target,
)


def test_bind() -> None:
    parsed = parse_bind("/host/../src:/dst/:ro,z,rslave")
    assert parsed.point == MountPoint(
        type="bind", source="/src", destination="/dst", mode="ro,z,rslave", rw=False, propagation="rslave"
    )
    assert parsed.create_source
    assert not parsed.copy_data


def test_named_volume() -> None:
    parsed = parse_bind("data:/dst:ro", volume_driver="local")
    assert parsed.point == MountPoint(
        type="volume", name="data", destination="/dst", mode="ro", rw=False, driver="local"
    )
    assert parsed.copy_data
    assert not parse_bind("data:/dst:nocopy").copy_data
    assert not parsed.create_source


def test_anonymous_volume() -> None:
    parsed = parse_bind("/data")
    assert parsed.point == MountPoint(type="volume", destination="/data")
    assert parsed.copy_data


def test_propagation_defaults_to_rprivate() -> None:
    assert parse_bind("/a:/b").point.propagation == "rprivate"
    assert parse_bind("/a:/b").point.rw


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "invalid volume specification: ''"),
        (":/b", "invalid volume specification: ':/b'"),
        ("/a:ro", "invalid volume specification: '/a:ro'"),
        ("/a:", "invalid volume specification: '/a:'"),
        ("/a:/b:ro:x", "invalid volume specification: '/a:/b:ro:x'"),
        ("/a:/b:what", "invalid mode: what"),
        ("/a:/b:ro,rw", "invalid mode: ro,rw"),
        ("/a:/b:z,Z", "invalid mode: z,Z"),
        ("/a:/b:slave,shared", "invalid mode: slave,shared"),
        (
            "/a:b",
            "invalid volume specification: '/a:b': invalid mount config for type \"bind\": "
            "invalid mount path: 'b' mount path must be absolute",
        ),
        (
            "rel",
            "invalid volume specification: 'rel': invalid mount config for type \"volume\": "
            "invalid mount path: 'rel' mount path must be absolute",
        ),
        (
            "/a:/",
            "invalid volume specification: '/a:/': invalid mount config for type \"bind\": "
            "invalid specification: destination can't be '/'",
        ),
        (
            "/a:/b/..",
            "invalid volume specification: '/a:/b/..': invalid mount config for type \"bind\": "
            "invalid specification: destination can't be '/'",
        ),
        (
            "/a:/b:nocopy",
            "invalid volume specification: '/a:/b:nocopy': invalid mount config for type \"bind\": "
            "field VolumeOptions must not be specified",
        ),
    ],
)
def test_binds_refused(text: str, message: str) -> None:
    with pytest.raises(InvalidParameter) as caught:
        parse_bind(text)
    assert str(caught.value) == message


def test_mounts() -> None:
    bind = parse_mount(MountSpec(type="bind", source="/s", target="/t", read_only=True))
    assert bind.point == MountPoint(type="bind", source="/s", destination="/t", rw=False, propagation="rprivate")
    assert not bind.create_source
    made = MountSpec(
        type="bind", source="/s", target="/t", bind_options=BindOptions(create_mountpoint=True, propagation="shared")
    )
    assert parse_mount(made).create_source
    assert parse_mount(made).point.propagation == "shared"
    options = VolumeOptions(no_copy=True, subpath="a/b", driver_config=DriverConfig(name="local"))
    volume = parse_mount(MountSpec(type="volume", source="v", target="/t", volume_options=options))
    assert volume.point == MountPoint(type="volume", name="v", destination="/t", driver="local")
    assert not volume.copy_data
    assert parse_mount(MountSpec(type="volume", target="/t")).copy_data
    assert parse_mount(MountSpec(type="tmpfs", target="/t")).point == MountPoint(type="tmpfs", destination="/t")
    assert parse_mount(MountSpec(type="image", source="alpine", target="/t")).point.source == "alpine"


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        (MountSpec(type="bind", source="/s"), "field Target must not be empty"),
        (MountSpec(type="bind", source="/s", target="/"), "invalid specification: destination can't be '/'"),
        (MountSpec(type="bind", source="/s", target="t"), "invalid mount path: 't' mount path must be absolute"),
        (MountSpec(type="bind", target="/t"), "field Source must not be empty"),
        (MountSpec(type="bind", source="s", target="/t"), "invalid mount path: 's' mount path must be absolute"),
        (
            MountSpec(type="bind", source="/s", target="/t", volume_options=VolumeOptions()),
            "field VolumeOptions must not be specified",
        ),
        (
            MountSpec(type="bind", source="/s", target="/t", bind_options=BindOptions(propagation="x")),
            "invalid propagation mode: x",
        ),
        (MountSpec(type="volume", target="/t", bind_options=BindOptions()), "field BindOptions must not be specified"),
        (
            MountSpec(type="volume", target="/t", volume_options=VolumeOptions(subpath="a")),
            "must not set Subpath when using anonymous volumes",
        ),
        (
            MountSpec(type="volume", source="v", target="/t", volume_options=VolumeOptions(subpath="a/../../b")),
            "subpath must be a relative path within the volume",
        ),
        (MountSpec(type="tmpfs", source="s", target="/t"), "field Source must not be specified"),
        (MountSpec(type="tmpfs", target="/t", tmpfs_options=TmpfsOptions(options=[["suid"]])), "invalid option: suid"),
        (MountSpec(type="tmpfs", target="/t", tmpfs_options=TmpfsOptions(options=[[]])), "invalid option array length"),
        (MountSpec(type="image", target="/t"), "field Source must not be empty"),
        (
            MountSpec(type="image", source="i", target="/t", image_options=ImageOptions(subpath="/a")),
            "subpath must be a relative path within the volume",
        ),
        (MountSpec(type="what", target="/t"), "mount type unknown"),
        (MountSpec(target="/t"), "mount type unknown"),
    ],
)
def test_mounts_refused(spec: MountSpec, reason: str) -> None:
    with pytest.raises(InvalidParameter) as caught:
        parse_mount(spec)
    assert str(caught.value) == f'invalid mount config for type "{spec.type}": {reason}'


def test_missing_source() -> None:
    assert str(missing_source("/x")) == 'invalid mount config for type "bind": bind source path does not exist: /x'


@pytest.mark.parametrize(
    ("text", "parsed"),
    [("web", ("web", "rw")), ("web:", ("web", "rw")), ("web:ro", ("web", "ro")), ("web:ro,z", ("web", "ro,z"))],
)
def test_volumes_from(text: str, parsed: tuple[str, str]) -> None:
    assert parse_volumes_from(text) == parsed


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "volumes-from specification cannot be an empty string"),
        ("web:x", "invalid mode: x"),
        ("web:slave", "invalid mode: slave"),
        ("web:nocopy", "invalid mode: nocopy"),
    ],
)
def test_volumes_from_refused(text: str, message: str) -> None:
    with pytest.raises(InvalidParameter) as caught:
        parse_volumes_from(text)
    assert str(caught.value) == message


def test_tmpfs_options_of_the_client_win() -> None:
    assert merge_tmpfs_options("") == ["noexec", "nosuid", "nodev", "rprivate"]
    assert merge_tmpfs_options("rw,exec,size=64m,size=32m") == ["nosuid", "nodev", "rprivate", "rw", "exec", "size=32m"]
    for text, shown in (("foo", '["foo"]'), ("foo=bar", '["foo" "bar"]'), ("size", '["size"]'), ("rw,", '[""]')):
        with pytest.raises(InvalidParameter) as caught:
            merge_tmpfs_options(text)
        assert str(caught.value) == f"invalid tmpfs option {shown}"


@pytest.mark.parametrize(
    ("options", "read_only", "text"),
    [
        (None, True, "ro"),
        (TmpfsOptions(), False, ""),
        (TmpfsOptions(size_bytes=64 << 20, mode=0o1777), False, "mode=1777,size=64m"),
        (TmpfsOptions(size_bytes=3 << 30), True, "ro,size=3g"),
        (TmpfsOptions(size_bytes=1025), False, "size=1025"),
        (TmpfsOptions(size_bytes=2048, options=[["exec"]]), False, "size=2k,exec"),
    ],
)
def test_tmpfs_of_mounts(options: TmpfsOptions | None, read_only: bool, text: str) -> None:
    assert tmpfs_options(options, read_only) == text


def test_tmpfs_targets() -> None:
    assert validate_tmpfs_target("/run//x/") == "/run/x"
    with pytest.raises(InvalidParameter, match="destination can't be '/'"):
        validate_tmpfs_target("/")
    with pytest.raises(InvalidParameter, match="invalid mount path: 'run' mount path must be absolute"):
        validate_tmpfs_target("run")


@pytest.mark.parametrize(("path", "cleaned"), [("/a/../b/./c//", "/b/c"), ("//a", "/a"), ("/..", "/"), ("a/..", ".")])
def test_clean(path: str, cleaned: str) -> None:
    assert clean(path) == cleaned


paths = st.from_regex(r"(/[a-z.]{1,5}){1,3}", fullmatch=True)


@given(
    st.one_of(st.just(""), paths, st.from_regex(r"[a-z][a-z0-9]{1,5}", fullmatch=True)),
    paths,
    st.lists(st.sampled_from(["ro", "z", "rslave", "cached"]), unique=True).map(",".join),
)
def test_binds_round_trip(source: str, target: str, mode: str) -> None:
    text = target if not source else f"{source}:{target}" + (f":{mode}" if mode else "")
    try:
        parsed = parse_bind(text)
    except InvalidParameter:
        is_volume = not source.startswith("/")
        assert clean(target) == "/" or (is_volume and "rslave" in mode)  # only binds propagate
        return
    assert format_bind(parsed) == text


@given(st.text(alphabet="/a:.,rozZ\0", max_size=20))
def test_any_text_parses_or_is_refused(text: str) -> None:
    for parse in (parse_bind, parse_volumes_from, merge_tmpfs_options, validate_tmpfs_target):
        try:
            parse(text)
        except InvalidParameter:
            pass
