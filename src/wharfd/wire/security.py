"""`HostConfig.SecurityOpt`: which protections a container asks to have changed.

    seccomp=unconfined | builtin | {…}     label=disable | type:X | level:X …     apparmor=unconfined | NAME
    no-new-privileges[=true|false]         systempaths=unconfined                 writable-cgroups[=true|false]

`:` may stand for `=` where there is no `=` (the form of clients before 1.11).  Raises `InvalidParameter` with dockerd's text.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from wharfd.model.errors import InvalidParameter

UNCONFINED = "unconfined"
_TRUE = frozenset({"1", "t", "T", "TRUE", "true", "True"})
_FALSE = frozenset({"0", "f", "F", "FALSE", "false", "False"})


@dataclass(frozen=True, slots=True, kw_only=True)
class SecurityOptions:
    """`seccomp`: empty (the default profile), "unconfined", "builtin", or a profile's JSON text.  `apparmor` empty: the default.

    `no_new_privileges` None: not said, the engine's setting counts.
    """

    seccomp: str = ""
    apparmor: str = ""
    labels: tuple[str, ...] = ()
    no_new_privileges: bool | None = None
    unconfined_paths: bool = False
    writable_cgroups: bool = False

    @property
    def is_label_disabled(self) -> bool:
        return "disable" in self.labels


def parse_security_options(options: Sequence[str] | None) -> SecurityOptions:
    """Later options win over earlier ones; labels add up."""
    parsed = SecurityOptions()
    for option in options or ():
        parsed = _with(parsed, option)
    return parsed


def _with(parsed: SecurityOptions, option: str) -> SecurityOptions:
    match option:
        case "no-new-privileges":
            return replace(parsed, no_new_privileges=True)
        case "writable-cgroups":
            return replace(parsed, writable_cgroups=True)
        case "disable":
            return replace(parsed, labels=(*parsed.labels, "disable"))
    key, separator, value = option.partition("=" if "=" in option else ":")
    if not separator:
        raise InvalidParameter(f'invalid --security-opt 1: "{option}"')
    match key:
        case "label":
            return replace(parsed, labels=(*parsed.labels, value))
        case "apparmor":
            return replace(parsed, apparmor=value)
        case "seccomp":
            return replace(parsed, seccomp=value)
        case "no-new-privileges":
            return replace(parsed, no_new_privileges=_boolean(option, value))
        case "writable-cgroups":
            return replace(parsed, writable_cgroups=_boolean(option, value))
        case "systempaths" if value == UNCONFINED:
            # Docker: its client turns this word into empty path lists; we take it from any client.
            return replace(parsed, unconfined_paths=True)
    raise InvalidParameter(f'invalid --security-opt 2: "{option}"')


def _boolean(option: str, value: str) -> bool:
    if value in _TRUE:
        return True
    if value in _FALSE:
        return False
    raise InvalidParameter(f'invalid --security-opt 2: "{option}"')
