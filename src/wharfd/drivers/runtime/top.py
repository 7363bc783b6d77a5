"""`top`: the host's ps, asked about a container's processes.  Source of the rules: dockerd, which does the same."""

import re
from collections.abc import Collection, Sequence

from wharfd.model.errors import Internal, InvalidParameter, Unavailable
from wharfd.sys.spawn import Completed, run

PS = "/usr/bin/ps"
PS_TIMEOUT_S = 10.0
DEFAULT_ARGUMENTS = "-ef"
_RENAMED_PID = re.compile(r"\s+([^\s]*)=\s*(PID[^\s]*)")


async def top(pids: Sequence[int], ps_args: str) -> tuple[list[str], list[list[str]]]:
    """Titles and rows.  Raises InvalidParameter for arguments that ps refuses."""
    arguments = ps_args or DEFAULT_ARGUMENTS
    validate_arguments(arguments)
    words = [word for word in arguments.split(" ") if word]
    chosen = ",".join(map(str, pids))
    # Docker: some options do not go together with a choice of pids; then all are listed, and ours picked out.
    done = await _ps([*words, f"-q{chosen}"])
    if done.returncode != 0:
        done = await _ps(words)
    if done.returncode != 0:
        said = done.stderr.decode(errors="replace").splitlines()
        raise InvalidParameter(f"ps: {said[0] if said else 'failed'}")
    return parse_table(done.stdout.decode(errors="replace"), pids)


def validate_arguments(ps_args: str) -> None:
    """Another column under the title PID would show other processes as the container's."""
    for group in _RENAMED_PID.findall(" " + ps_args.replace(",", " ")):
        if group[0] != "pid":
            raise InvalidParameter(f'specifying "{group[0]}={group[1]}" is not allowed')


def parse_table(output: str, pids: Collection[int]) -> tuple[list[str], list[list[str]]]:
    """The rows of these processes, with the threads that follow each; the last column keeps its blanks."""
    lines = output.splitlines()
    titles = lines[0].split() if lines else []
    if "PID" not in titles:
        raise InvalidParameter("Couldn't find PID field in ps output")
    column = titles.index("PID")
    rows: list[list[str]] = []
    is_ours = False
    for line in lines[1:]:
        fields = line.split(None, len(titles) - 1)
        if len(fields) <= column:
            continue
        if fields[column] != "-":
            if not fields[column].isdigit():
                raise Internal(f"Unexpected pid '{fields[column]}'")
            is_ours = int(fields[column]) in pids
        if is_ours:
            rows.append([field.rstrip() for field in fields])
    return titles, rows


async def _ps(arguments: Sequence[str]) -> Completed:
    try:
        return await run([PS, *arguments], timeout_s=PS_TIMEOUT_S)
    except FileNotFoundError as e:
        raise Unavailable("ps is not installed (Debian package procps)") from e
    except TimeoutError as e:
        raise Internal("ps did not end in time") from e
