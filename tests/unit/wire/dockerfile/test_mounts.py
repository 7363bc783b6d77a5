import pytest

from wharfd.wire.dockerfile.errors import DockerfileError
from wharfd.wire.dockerfile.mounts import RunMount, check_mount, csv_fields, parse_device, parse_mount, source_stage


def as_it_is(text: str) -> str:
    return text


@pytest.mark.parametrize(
    ("text", "mount"),
    [
        ("target=/x", RunMount(target="/x")),
        ("type=bind,from=build,source=/a,target=/b", RunMount(source_stage="build", source="/a", target="/b")),
        ("type=bind,target=/b,rw", RunMount(target="/b", read_only=False)),
        ("type=bind,dst=/b,readonly=false", RunMount(target="/b", read_only=False)),
        ("TYPE=Cache,Target=/c", RunMount(type="cache", target="/c", read_only=False)),
        (
            "type=cache,id=x,target=/c,sharing=LOCKED,mode=0700,uid=1,gid=2,ro",
            RunMount(type="cache", id="x", target="/c", sharing="locked", mode=0o700, uid=1, gid=2),
        ),
        ("type=tmpfs,target=/t,size=1.5m", RunMount(type="tmpfs", target="/t", read_only=False, size_bytes=1572864)),
        ("type=secret,id=s,required", RunMount(type="secret", id="s", required=True)),
        ("type=secret,id=s,env=TOKEN,required=0", RunMount(type="secret", id="s", env="TOKEN")),
        ("type=ssh", RunMount(type="ssh")),
        ('type=bind,"target=/a,b"', RunMount(target="/a,b")),
    ],
)
def test_parse(text: str, mount: RunMount) -> None:
    assert parse_mount(text, as_it_is) == mount


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "failed to parse csv mounts: EOF"),
        ("type=foo", 'unsupported mount type "foo"'),
        ("type=bnd", 'unsupported mount type "bnd" (did you mean bind?)'),
        ("foo", "invalid field 'foo' must be a key=value pair"),
        ("typ=bind", "unexpected key 'typ' in 'typ=bind' (did you mean type?)"),
        ("type=cache,sharing=foo", 'unsupported sharing value "foo"'),
        ("type=secret", "invalid secret mount. one of source, target required"),
        ("type=secret,source=a,id=b", "both source and id can't be set"),
        ("type=secret,id=a,from=b", "secret mount should not have a from"),
        ("type=cache,mode=9", "invalid value 9 for mode"),
        ("type=cache,uid=-1", "invalid value -1 for uid"),
        ("type=cache,uid=4294967296", "invalid value 4294967296 for uid"),
        ("mode=0700", 'mode not allowed for "bind" type mounts'),
        ("type=bind,sharing=shared", "invalid cache sharing set for bind mount"),
        ("required", "unexpected key 'required' for mount type 'bind'"),
        ("ro=maybe", "invalid value for ro: maybe"),
        ("type=tmpfs,size=x", "invalid value for size: invalid size: 'x'"),
        ('a"b', 'failed to parse csv mounts: parse error on line 1, column 3: bare " in non-quoted-field'),
        ('"a', 'failed to parse csv mounts: parse error on line 1, column 2: extraneous or missing " in quoted-field'),
    ],
)
def test_what_is_refused(text: str, message: str) -> None:
    with pytest.raises(DockerfileError) as caught:
        parse_mount(text, as_it_is)
    assert str(caught.value) == message


def test_values_are_expanded() -> None:
    assert parse_mount("target=$x", lambda text: text.replace("$x", "/y")).target == "/y"


def test_where_it_comes_from_must_be_plain() -> None:
    with pytest.raises(DockerfileError) as caught:
        check_mount("target=/x,from=$x")
    assert str(caught.value) == "'from' doesn't support variable expansion, define alias stage instead"
    check_mount("target=$x,from=$,what")


@pytest.mark.parametrize(
    ("text", "stage"),
    [
        ("target=/x", ""),
        ("from=a,target=/x", "a"),
        ("type=cache,from=a,target=/x", "a"),
        ("type=tmpfs,from=a,target=/x", ""),
        ("type=secret,id=a", ""),
    ],
)
def test_source_stage(text: str, stage: str) -> None:
    assert source_stage(text) == stage


@pytest.mark.parametrize(
    ("text", "fields"),
    [("a,b", ["a", "b"]), ("a,", ["a", ""]), ('"a,""b""",c', ['a,"b"', "c"]), ("a", ["a"])],
)
def test_csv(text: str, fields: list[str]) -> None:
    assert csv_fields(text) == fields


@pytest.mark.parametrize(
    ("text", "device"),
    [
        ("vendor.com/class=name", ("vendor.com/class=name", False)),
        ("name=vendor.com/class=*,required", ("vendor.com/class=*", True)),
        ("vendor.com/class,required=false", ("vendor.com/class", False)),
    ],
)
def test_devices(text: str, device: tuple[str, bool]) -> None:
    assert parse_device(text) == device


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("required", "device name is required"),
        ("a,nmae=b", "unexpected key 'nmae' in 'nmae=b' (did you mean name?)"),
        ("a,required=x", "invalid value for required: x"),
    ],
)
def test_what_is_no_device(text: str, message: str) -> None:
    with pytest.raises(DockerfileError) as caught:
        parse_device(text)
    assert str(caught.value) == message
