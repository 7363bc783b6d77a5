"""Messages for syslog servers, in the forms that Docker offers.

    (unix)         <30>Nov 24 14:20:24 TAG[PID]: text
    rfc3164        <30>Nov 24 14:20:24 HOST TAG[PID]: text
    rfc5424        <30>1 2026-11-24T14:20:26Z HOST TAG PID TAG - text
    rfc5424micro   the same with microseconds

Each ends in a newline.  Over TLS the two last are framed with their length before them (RFC 5425).  Sources: RFC 3164, RFC 5424, and
what dockerd sends, but for the time, which is here when the line was written.
"""

from dataclasses import dataclass

from wharfd.model.errors import InvalidParameter
from wharfd.wire.crilog import STDERR
from wharfd.wire.gotime import stamp_of
from wharfd.wire.loglines import Message

FACILITIES = (
    "kern user mail daemon auth syslog lpr news uucp cron authpriv ftp - - - - local0 local1 local2 local3 local4 local5 local6 local7"
).split()
DAEMON = 3
ERROR, INFO = 3, 6
FORMATS = ("", "rfc3164", "rfc5424", "rfc5424micro")


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """What all messages of a container share.  `has_length`: its length stands before each message."""

    format: str = ""
    facility: int = DAEMON
    hostname: str = ""
    tag: str = ""
    pid: int = 0
    has_length: bool = False


def parse_facility(text: str) -> int:
    """By name or number; empty: daemon.  Raises InvalidParameter."""
    if not text:
        return DAEMON
    if text in FACILITIES and text != "-":
        return FACILITIES.index(text)
    if text.isascii() and text.isdecimal() and int(text) < len(FACILITIES):
        return int(text)
    raise InvalidParameter("invalid syslog facility")


def parse_format(text: str) -> str:
    """Raises InvalidParameter."""
    if text not in FORMATS:
        raise InvalidParameter("Invalid syslog format")
    return text


def encode(header: Header, message: Message, zone_offset_s: int) -> bytes:
    """`zone_offset_s`: of local time, east of Greenwich."""
    priority = header.facility << 3 | (ERROR if message.stream == STDERR else INFO)
    stamp = stamp_of(message.at_ns, zone_offset_s)
    tag, host, pid = header.tag, header.hostname, header.pid
    match header.format:
        case "rfc5424":
            head = f"<{priority}>1 {stamp.rfc3339()} {host} {tag} {pid} {tag} - "
        case "rfc5424micro":
            head = f"<{priority}>1 {stamp.rfc3339_micro()} {host} {tag} {pid} {tag} - "
        case "rfc3164":
            head = f"<{priority}>{stamp.short()} {host} {tag}[{pid}]: "
        case _:
            head = f"<{priority}>{stamp.short()} {tag}[{pid}]: "
    data = head.encode() + message.text
    if not data.endswith(b"\n"):
        data += b"\n"
    return b"%d %b" % (len(data), data) if header.has_length else data
