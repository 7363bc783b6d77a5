"""The command line: reads flags and file, sets up logging, runs the engine until it is told to stop."""

import logging
import sys
from collections.abc import Sequence

from wharfd.cli.config_file import ConfigError, load
from wharfd.cli.flags import parser

LEVELS = {"debug": 10, "info": 20, "warn": 30, "error": 40, "fatal": 50}


def main(argv: Sequence[str] | None = None) -> int:
    """Exit codes: 0 stopped as asked, 1 could not start or failed, 2 wrong usage.  For those of `verify` see there."""
    args = parser().parse_args(argv)
    if args.verb == "base-image":
        from wharfd.cli.base_image import write_base_image  # only this verb needs it

        return write_base_image(args.file)
    flags = vars(args)
    digests = flags.pop("digests", False)
    try:
        settings, without_effect = load(flags)
    except ConfigError as e:
        print(f"wharfd: {e}", file=sys.stderr)
        return 1
    if args.verb == "verify":
        from wharfd.app.verify.run import verify  # only this verb needs it

        return verify(settings.data_root, digests=digests)
    set_up_logging(settings.log_level)
    log = logging.getLogger("wharfd")
    for key in without_effect:
        log.warning("setting=%s has no effect in this version", key)
    from wharfd.app.serve import run  # after the settings, so that a wrong flag is told at once

    return run(settings)


def set_up_logging(level: str) -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        logging.Formatter(
            "time=%(asctime)s.%(msecs)03d level=%(levelname)s where=%(name)s %(message)s", "%Y-%m-%dT%H:%M:%S"
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(LEVELS[level])
