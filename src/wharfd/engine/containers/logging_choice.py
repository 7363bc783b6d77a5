"""Where a container's output goes: the log driver that it asks for, or the engine's, with its options."""

from collections.abc import Mapping

import msgspec

from wharfd.model.config import HostConfig, LogConfig
from wharfd.model.errors import InvalidParameter
from wharfd.model.settings import Settings
from wharfd.ports.logs import LogDriver
from wharfd.wire.limits import parse_size
from wharfd.wire.logtag import parse
from wharfd.wire.pattern import Pattern

NO_LOG = "none"
MODE_OPTIONS = ("mode", "max-buffer-size")  # of any log driver


def with_log(asked: HostConfig, settings: Settings, drivers: Mapping[str, LogDriver]) -> HostConfig:
    """The log driver's defaults filled in.  Raises InvalidParameter for a driver or an option that is not known."""
    kind = asked.log_config.type or settings.log_driver
    options = dict(asked.log_config.config or {})
    if kind == settings.log_driver:
        options = {**settings.log_opts, **options}
    driver = drivers.get(kind)
    if driver is None:
        raise InvalidParameter(f'error looking up logging plugin {kind}: plugin "{kind}" not found')
    if kind != NO_LOG:  # Docker: its options are not looked at
        check_mode(options)
        check_of_lines(options)
        driver.validate({name: value for name, value in options.items() if name not in MODE_OPTIONS})
    return msgspec.structs.replace(asked, log_config=LogConfig(type=kind, config=options))


def check_of_lines(options: Mapping[str, str]) -> None:
    """Raises InvalidParameter with what dockerd says when the container is started."""
    for name in ("labels-regex", "env-regex"):
        expression = options.get(name, "")
        if not Pattern.cached(expression).is_valid:
            raise InvalidParameter(f"error parsing regexp: `{expression}`")
    parse(options.get("tag", ""))


def check_mode(options: Mapping[str, str]) -> None:
    """Raises InvalidParameter.  In either mode the monitor's writes wait for nobody; the modes differ in what may wait to be sent."""
    mode = options.get("mode", "")
    if mode not in {"", "blocking", "non-blocking"}:
        raise InvalidParameter(f"logger: logging mode not supported: {mode}")
    size = options.get("max-buffer-size")
    if size is None:
        return
    if mode != "non-blocking":
        raise InvalidParameter("logger: max-buffer-size option is only supported with 'mode=non-blocking'")
    try:
        parse_size(size)
    except InvalidParameter as e:
        raise e.prefixed("error parsing option max-buffer-size: ") from e
