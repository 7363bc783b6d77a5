"""Whether and when a container that ended is started again: pure rules, dockerd's.

A stop or a final signal by hand outweighs every policy while the engine lives.  When the engine comes up, `always` starts a container
even so, `unless-stopped` does not.
"""

from wharfd.model.config import RestartPolicy
from wharfd.model.container import ContainerRecord

FIRST_DELAY_S = 0.1
LONGEST_DELAY_S = 60.0
LONG_LIFE_NS = 10 * 10**9  # after such a run the delay begins anew


def wants_restart(record: ContainerRecord, exit_code: int) -> bool:
    """Of a running container that has just ended with this code."""
    if record.manually_stopped:
        return False
    policy = record.host_config.restart_policy
    match policy.name:
        case "always" | "unless-stopped":
            return True
        case "on-failure":
            return exit_code != 0 and has_tries_left(policy, record.restart_count)
        case _:
            return False


def wants_start_at_boot(record: ContainerRecord) -> bool:
    """Of a container at rest that has run before, when the engine comes up."""
    match record.host_config.restart_policy.name:
        case "always":
            return True
        case "unless-stopped":
            return not record.manually_stopped
        case _:
            return False


def has_tries_left(policy: RestartPolicy, restart_count: int) -> bool:
    """No maximum given: for ever."""
    return policy.maximum_retry_count <= 0 or restart_count < policy.maximum_retry_count


def next_delay_s(previous_s: float, ran_ns: int) -> float:
    """`previous_s`: the delay before the run that has just ended, 0 if somebody started it by hand."""
    if previous_s <= 0 or ran_ns >= LONG_LIFE_NS:
        return FIRST_DELAY_S
    return min(previous_s * 2, LONGEST_DELAY_S)
