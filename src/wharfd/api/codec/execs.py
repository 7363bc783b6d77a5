"""Execs: the bodies of create and start, and the answer of inspect."""

import base64

import msgspec

from wharfd.api.codec.shape import ARRAY_OF_TWO, WORDS, Shape
from wharfd.api.versions.changes import upgrade
from wharfd.api.versions.version import Version
from wharfd.engine.execs.registry import Exec, ExecConfig
from wharfd.model.errors import InvalidParameter
from wharfd.model.json import Json, JsonObject
from wharfd.wire.detachkeys import parse_detach_keys

LARGEST = 0xFFFF  # rows or columns, as the kernel counts them


class CreateBody(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    """The document as sent; `Detach` is a client's word, which means nothing here."""

    user: str = ""
    privileged: bool = False
    tty: bool = False
    console_size: list[int] | None = None
    attach_stdin: bool = False
    attach_stderr: bool = False
    attach_stdout: bool = False
    detach_keys: str = ""
    env: list[str] | None = None
    working_dir: str = ""
    cmd: list[str] | None = None


class StartBody(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    detach: bool = False
    tty: bool = False
    console_size: list[int] | None = None


CREATE = Shape.of(
    CreateBody,
    "container.ExecCreateRequest",
    {"CreateBody.Cmd": WORDS, "CreateBody.ConsoleSize": ARRAY_OF_TWO},
    prefix="ExecCreateRequest",
)
START = Shape.of(
    StartBody,
    "container.ExecStartRequest",
    {"StartBody.ConsoleSize": ARRAY_OF_TWO},
    prefix="ExecStartRequest",
)


def decode_create(doc: Json, version: Version) -> ExecConfig:
    """Raises InvalidParameter: a value of the wrong type, unknown detach keys."""
    body = CREATE.convert(upgrade("exec.create", version, CREATE.clean(doc)))
    try:
        keys = parse_detach_keys(body.detach_keys)
    except InvalidParameter:
        raise InvalidParameter(f"Invalid escape keys ({body.detach_keys}) provided") from None
    return ExecConfig(
        cmd=body.cmd or [],
        user=body.user,
        privileged=body.privileged,
        tty=body.tty,
        attach_stdin=body.attach_stdin,
        attach_stdout=body.attach_stdout,
        attach_stderr=body.attach_stderr,
        detach_keys=keys,
        env=body.env or [],
        working_dir=body.working_dir,
        console_size=size_of(body.console_size) if body.tty else None,
    )


def decode_start(doc: Json, version: Version) -> StartBody:
    """Raises InvalidParameter."""
    return START.convert(upgrade("exec.start", version, START.clean(doc)))


def size_of(size: list[int] | None) -> tuple[int, int] | None:
    """Height and width."""
    return (min(size[0], LARGEST), min(size[1], LARGEST)) if size else None


def encode_created(exec_id: str) -> JsonObject:
    return {"Id": exec_id}


def encode_exec(each: Exec) -> JsonObject:
    """Docker: `user` is left out where it is empty; ExitCode is null until it is over."""
    config = each.config
    process: JsonObject = {
        "tty": config.tty,
        "entrypoint": config.cmd[0],
        "arguments": config.cmd[1:],
        "privileged": config.privileged,
    }
    if config.user:
        process["user"] = config.user
    return {
        "ID": each.id,
        "Running": each.is_running,
        "ExitCode": each.exit_code,
        "ProcessConfig": process,
        "OpenStdin": config.attach_stdin,
        "OpenStderr": config.attach_stderr,
        "OpenStdout": config.attach_stdout,
        "CanRemove": each.can_remove,
        "ContainerID": each.container_id,
        "DetachKeys": base64.b64encode(config.detach_keys).decode(),
        "Pid": each.pid,
    }
