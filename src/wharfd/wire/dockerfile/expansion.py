"""Instructions with their variables replaced: all but those in command lines, which are the shell's to replace."""

from collections.abc import Callable
from typing import TypeVar

import msgspec

from wharfd.wire.dockerfile.heredocs import Heredoc
from wharfd.wire.dockerfile.instructions import (
    Add,
    Command,
    Copy,
    Env,
    Expose,
    Label,
    Pair,
    StopSignal,
    Transfer,
    User,
    Volume,
    Workdir,
)
from wharfd.wire.dockerfile.words import Expansion, Rules

# Here-documents are no words: quotes in them are ordinary characters, whatever the escape directive says.
CONTENT_RULES = Rules(quotes=False)

_replace = msgspec.structs.replace
_TransferT = TypeVar("_TransferT", bound=Transfer)

Expand = Callable[[str], Expansion]


def expanded(instruction: Command, expand: Expand, expand_content: Expand) -> Command:
    """`ARG`, whose default may go unused, and the mounts of `RUN` are left as they are.

    Raises:
        DockerfileError: what `expand` raises.
    """
    match instruction:
        case Env(pairs=pairs) | Label(pairs=pairs):
            return _replace(instruction, pairs=tuple(expanded_pair(pair, expand) for pair in pairs))
        case Copy():
            return expanded_transfer(instruction, expand, expand_content)
        case Add(checksum=checksum):
            transfer = expanded_transfer(instruction, expand, expand_content)
            return _replace(transfer, checksum=expand(checksum).text)
        case Workdir(path=path):
            return _replace(instruction, path=expand(path).text)
        case User(user=user):
            return _replace(instruction, user=expand(user).text)
        case Volume(paths=paths):
            return _replace(instruction, paths=tuple(expand(path).text for path in paths))
        case StopSignal(signal=signal):
            return _replace(instruction, signal=expand(signal).text)
        case Expose(ports=ports):
            return _replace(instruction, ports=tuple(word for port in ports for word in expand(port).words()))
    return instruction


def expanded_pair(pair: Pair, expand: Expand) -> Pair:
    return Pair(expand(pair.name).text, expand(pair.value).text, pair.is_legacy)


def expanded_transfer(transfer: _TransferT, expand: Expand, expand_content: Expand) -> _TransferT:
    return _replace(
        transfer,
        sources=tuple(expand(source).text for source in transfer.sources),
        destination=expand(transfer.destination).text,
        chown=expand(transfer.chown).text,
        chmod=expand(transfer.chmod).text,
        inline=tuple(expanded_heredoc(heredoc, expand_content) for heredoc in transfer.inline),
    )


def expanded_heredoc(heredoc: Heredoc, expand_content: Expand) -> Heredoc:
    """Its tabs taken off, its variables replaced unless its name was quoted."""
    text = heredoc.text
    if heredoc.expand:
        text = expand_content(text).text
    return Heredoc(name=heredoc.name, descriptor=heredoc.descriptor, expand=False, content=text)
