"""Dockerfile instructions of import and commit, and image archives' patterns: any text gives a result or InvalidParameter, quickly."""

from wharfd.model.errors import InvalidParameter
from wharfd.model.image import RunConfig
from wharfd.wire.changes import apply_changes
from wharfd.wire.globs import matches

SEEDS = [
    b'CMD ["a", "b c"]\nENV A=1 B=\'x y\' C="$A ${B}"',
    b'EXPOSE 80 53/udp 8000-8010\nLABEL a=b "c d"=e\nVOLUME ["/x"]\nWORKDIR a/../b',
    b"HEALTHCHECK --interval=5s --retries=3 CMD curl -f x\nONBUILD RUN y\nUSER a\nSTOPSIGNAL 9",
    b"ENV A the rest \\\nof it",
    b"*a?[b-c]\\*/[^x]",
]


def fuzz_one(data: bytes) -> None:
    text = data.decode("utf-8", "surrogateescape")
    for work in (lambda: apply_changes(RunConfig(), [text]), lambda: matches(text[:40], "registry/repo:tag")):
        try:
            work()
        except InvalidParameter:
            continue
