"""`wharfd serve`, but it can be told to kill itself at a port call: the main program of test_kill_at_every_step.

A file named by WHARFD_ORDERS tells it, from the next port call on: empty, to note its calls in the file WHARFD_CALLS, else to die at
the call `port.method:nth:before|after`, counted from there.  The file is deleted when it has been read.
"""

import os
import sys

from wharfd.app.serve import run
from wharfd.cli.config_file import load
from wharfd.cli.flags import parser
from wharfd.cli.main import set_up_logging
from wharfd.testing.faults import CALLS_VARIABLE, Fault, FaultPlan, Phase, faulty

ORDERS_VARIABLE = "WHARFD_ORDERS"
# Ports that change something.  A death at a call of any other is one between two calls of these.
PORTS = frozenset({"records", "content", "layers", "rootfs", "files", "runtime", "sandboxes", "bridge", "volumes"})
READING = frozenset(
    {
        "facts",
        "infos",
        "directory",
        "is_mounted",
        "events",
        "read_file",
        "has",
        "size",
        "path",
        "get",
        "list",
        "read",
        "head",
        "unclaimed",
        "remnants",
    }
)


class OrderedPlan(FaultPlan):
    def __init__(self, orders: str, calls: str) -> None:
        super().__init__()
        self.orders = orders
        self.calls_path = calls

    def begin(self, point: str) -> int:
        try:
            with open(self.orders) as file:
                order = file.read()
            os.unlink(self.orders)
        except FileNotFoundError:
            pass
        else:
            self.obey(order)
        return super().begin(point)

    def reach(self, point: str, nth: int, phase: Phase) -> None:
        if point.partition(".")[2] not in READING:
            super().reach(point, nth, phase)

    def obey(self, order: str) -> None:
        self.forget_calls()
        self.faults.clear()
        if self.calls_fd >= 0:
            os.close(self.calls_fd)
            self.calls_fd = -1
        if order:
            point, nth, phase = order.split(":")
            self.faults.append(Fault(point, int(nth), Phase(phase)))
        else:
            self.calls_fd = os.open(self.calls_path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_CLOEXEC)


def main() -> int:
    settings, _ = load(vars(parser().parse_args()))
    set_up_logging(settings.log_level)
    plan = OrderedPlan(os.environ[ORDERS_VARIABLE], os.environ[CALLS_VARIABLE])
    return run(settings, lambda name, driver: faulty(name, driver, plan) if name in PORTS else driver)


if __name__ == "__main__":
    sys.exit(main())
