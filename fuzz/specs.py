"""The short grammars of a create body: binds, ports, limits, names, users, device rules, whiteouts.  The first byte chooses."""

from collections.abc import Callable

from wharfd.model.errors import InvalidParameter
from wharfd.wire import binds, limits, names, ports, userdb, whiteout


def _user(text: str) -> object:
    spec, _, files = text.partition("\n")
    passwd, _, group = files.partition("\f")
    return userdb.resolve_user(spec, passwd, group, [spec])


def _bind(text: str) -> None:
    assert binds.format_bind(binds.parse_bind(text)) in {text, text.removesuffix(":"), text + ":"}


def _port(text: str) -> None:
    for published in ports.parse_spec(text):
        assert ports.parse_spec(ports.format_spec(published)) == [published] or published.first == 0


_PARSERS: list[Callable[[str], object]] = [
    _bind,
    binds.parse_volumes_from,
    binds.merge_tmpfs_options,
    binds.validate_tmpfs_target,
    _port,
    ports.parse_exposed,
    limits.parse_signal,
    limits.parse_ulimit,
    limits.parse_size,
    limits.parse_device_rule,
    names.parse_container_name,
    names.parse_volume_name,
    _user,
    whiteout.classify,
]
_EXAMPLES = [
    b"/a:/b:ro,z,rslave",
    b"web:ro",
    b"rw,exec,size=64m",
    b"/run",
    b"[::1]:8000-8001:80-81/udp",
    b"8000-8010/tcp",
    b"SIGRTMIN+3",
    b"nofile=512:1024",
    b"1.5 GiB",
    b"c 13:* rwm",
    b"/web_1",
    b"data.1",
    b"www:audio\nroot:x:0:0::/root:\nwww:x:33:33::/:\n\faudio:x:29:www\n",
    b"a/.wh..wh..opq",
]
SEEDS = [bytes([number]) + example for number, example in enumerate(_EXAMPLES)]


def fuzz_one(data: bytes) -> None:
    if not data:
        return
    try:
        _PARSERS[data[0] % len(_PARSERS)](data[1:].decode("utf-8", "surrogateescape"))
    except InvalidParameter:
        pass
