"""What an OCI runtime says when it cannot start a container or a further process in one, turned into Docker's words and exit codes.

Clients look for "executable file not found", "no such file or directory" and "permission denied" in the message, which are runc's
words; crun has its own, so they are put the other way here.  The frame around them is what containerd adds.
"""

import re

from wharfd.model.errors import StartFailed

NOT_EXECUTABLE, NOT_FOUND, OTHER = 126, 127, 128

_NOT_FOUND_WORDS = ("executable file not found", "no such file or directory", "system cannot find the file specified")
_CRUN_NOT_FOUND = re.compile(r"(?:executable file|cannot find) `(?P<program>.*)` (?:not found|in \$PATH)", re.DOTALL)
_CRUN_NOT_ALLOWED = re.compile(
    r"open executable|the path `[^`]*` (?:exists but it is not executable|is not a regular file)"
)
_CRUN_STAT = re.compile(
    r"(?:error stat'ing file|cannot stat|stat) `(?P<path>[^`]*)`: (?P<reason>.*)", re.IGNORECASE | re.DOTALL
)
_CRUN_CHDIR = re.compile(
    r"(?:chdir|chdir to|cannot chdir to|mkdir) `(?P<path>[^`]*)`?: (?P<reason>.*)", re.IGNORECASE | re.DOTALL
)
_LOG_LINE = re.compile(r'^time="[^"]*" level=(?:error|fatal) msg="(?P<text>(?:[^"\\]|\\.)*)"', re.MULTILINE)
_LOG_ESCAPE = re.compile(r"\\(.)")
_ERRNO_TEXTS = (
    "Permission denied",
    "Operation not permitted",
    "Not a directory",
    "No such file or directory",
    "Is a directory",
)


def start_failed(said: str, runtime: str, program: str) -> StartFailed:
    """The error for what `runtime` said when it was to run `program` (the first word of the command)."""
    reason = _runc_words(said.strip(), program)
    text = (
        f"failed to create task for container: failed to create shim task: OCI runtime create failed: {reason}: unknown"
    )
    if "runc create failed" not in reason:
        text = text.replace("create failed: ", f"create failed: {runtime}: ", 1)
    lowered = text.lower()
    if any(words in lowered for words in _NOT_FOUND_WORDS):
        return StartFailed(text, NOT_FOUND)
    if "permission denied" in lowered or "is a directory" in lowered:
        return StartFailed(text, NOT_EXECUTABLE)
    if "not a directory" in lowered:
        text += (
            ": Are you trying to mount a directory onto a file (or vice-versa)? "
            "Check if the specified host path exists and is the expected type"
        )
        return StartFailed(text, NOT_FOUND)
    return StartFailed(text, OTHER)


def exec_failed(said: str, program: str) -> StartFailed:
    """The error for what a runtime said when it was to run `program` in a running container."""
    reason = said.strip() or "the runtime ended without a message"
    if not reason.startswith("exec failed: "):
        begin = "unable to start container process: "
        if match := _CRUN_NOT_FOUND.search(reason):
            reason = begin + _not_found(match["program"])
        elif _CRUN_NOT_ALLOWED.search(reason):
            # crun tells an empty name from a directory as little as it tells that from a file that is not executable.
            reason = begin + (f'exec: "{program}": permission denied' if program else _not_found(program))
        elif match := _CRUN_CHDIR.search(reason):
            reason = f'{begin}chdir to cwd ("{match["path"]}") set in config.json failed: {_go_errno(match["reason"])}'
        reason = f"exec failed: {_go_errno(reason)}"
    text = f"OCI runtime exec failed: {reason}: unknown"
    lowered = text.lower()
    if any(words in lowered for words in (*_NOT_FOUND_WORDS, "not a directory")):
        return StartFailed(text, NOT_FOUND)
    return StartFailed(text, NOT_EXECUTABLE if "permission denied" in lowered or "is a directory" in lowered else OTHER)


def _not_found(program: str) -> str:
    """Docker: what is given with a slash is looked for as it is, anything else in PATH."""
    reason = f"stat {program}: no such file or directory" if "/" in program else "executable file not found in $PATH"
    return f'exec: "{program}": {reason}'


def _runc_words(said: str, program: str) -> str:
    """crun's message in runc's words where clients depend on them; others unchanged but for the errno's first letter."""
    if logged := _LOG_LINE.findall(said):
        # runc without a log file of its own: lines of key=value, the last of which is the failure.
        said = _LOG_ESCAPE.sub(r"\1", logged[-1])
    said = said.removeprefix("error: ") or "the runtime ended without a message"
    if said.startswith("runc create failed"):
        return said
    begin = "runc create failed: unable to start container process: error during container init: "
    if match := _CRUN_NOT_FOUND.search(said):
        return begin + _not_found(match["program"])
    if _CRUN_NOT_ALLOWED.search(said):
        reason = "permission denied" if program else "executable file not found in $PATH"
        return f'{begin}exec: "{program}": {reason}'
    if match := _CRUN_STAT.search(said):
        return f'{begin}error mounting "{match["path"]}" to rootfs: stat {match["path"]}: {_go_errno(match["reason"])}'
    if match := _CRUN_CHDIR.search(said):
        return f"{begin}mkdir {match['path']}: {_go_errno(match['reason'])}"
    return _go_errno(said)


def _go_errno(text: str) -> str:
    for errno_text in _ERRNO_TEXTS:
        text = text.replace(errno_text, errno_text[0].lower() + errno_text[1:])
    return text
