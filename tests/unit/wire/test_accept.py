"""Which type a client gets."""

import pytest

from wharfd.wire.accept import choose, choose_encoding

OFFERS = ("application/jsonl", "application/x-ndjson", "application/json-seq")


@pytest.mark.parametrize(
    ("accept", "chosen"),
    [
        ([], "default"),
        ([""], "default"),
        (["text/html"], "default"),
        (["application/json"], "default"),
        (["*/*"], "application/jsonl"),
        (["application/*"], "application/jsonl"),
        (["application/json-seq"], "application/json-seq"),
        (["APPLICATION/JSON-SEQ"], "application/json-seq"),
        (["text/html, application/x-ndjson"], "application/x-ndjson"),
        (["text/html", "application/x-ndjson"], "application/x-ndjson"),  # two headers
        (["*/*, application/json-seq"], "application/json-seq"),  # the more exact one
        (["application/json-seq;q=0.5, application/x-ndjson; q=0.7"], "application/x-ndjson"),
        (["application/json-seq;q=0, */*;q=0.1"], "application/jsonl"),
        (["application/json-seq;q=0"], "default"),
        (["application/json-seq;q=much"], "default"),
        (["application/json-seq;charset=utf-8"], "application/json-seq"),
        ([",;,q=1,"], "default"),
    ],
)
def test_choose(accept: list[str], chosen: str) -> None:
    assert choose(accept, OFFERS, "default") == chosen


@pytest.mark.parametrize(
    ("accept", "expected"),
    [  # read off dockerd 28.5
        (["gzip"], "gzip"),
        (["deflate"], "deflate"),
        (["gzip, deflate"], "gzip"),
        (["deflate;q=1, gzip;q=0.5"], "deflate"),
        (["*"], "gzip"),
        (["identity"], ""),
        (["gzip;q=0"], ""),
        (["br"], ""),
        (["br", "Deflate"], "deflate"),
        ([], ""),
    ],
)
def test_encodings(accept: list[str], expected: str) -> None:
    assert choose_encoding(accept, ("gzip", "deflate")) == expected
