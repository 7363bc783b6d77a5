import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wharfd.wire.http1 import ChunkedDecoder, Head, HttpError, find_head_end, parse_head


def head(text: str) -> Head:
    return parse_head(text.encode("latin-1"))


def request(*lines: str, first: str = "POST /x HTTP/1.1") -> Head:
    return head("\r\n".join([first, *lines, "", ""]))


def refused(*lines: str, first: str = "POST /x HTTP/1.1") -> int:
    with pytest.raises(HttpError) as caught:
        request(*lines, first=first)
    return caught.value.status


def test_plain_request() -> None:
    found = request("Host: docker", "X-Meta: a", "x-meta:  b \t", first="GET /v1.40/containers/json?all=1 HTTP/1.1")
    assert (found.method, found.minor, found.raw_path, found.query) == ("GET", 1, "/v1.40/containers/json", "all=1")
    assert found.headers == (("host", "docker"), ("x-meta", "a"), ("x-meta", "b"))
    assert found.keep_alive
    assert not found.has_body


@pytest.mark.parametrize(
    ("target", "path", "query"),
    [
        ("/a/b", "/a/b", ""),
        ("//containers//x/start", "/containers/x/start", ""),
        ("/images/a%2Fb%20c/json?x=%2F", "/images/a/b c/json", "x=%2F"),
        ("http://localhost:80/v1.40/_ping?a", "/v1.40/_ping", "a"),
        ("HTTP://api.moby.localhost", "/", ""),
        ("http://x?a=1", "/", "a=1"),
        ("unix:///var/run/docker.sock/x", "/var/run/docker.sock/x", ""),
        ("*", "*", ""),
        ("/%ff", "/�", ""),
        ("/\xc3\xa9", "/é", ""),
        ("/a?b?c", "/a", "b?c"),
        ("/a/../b/./c", "/a/../b/./c", ""),
    ],
)
def test_targets(target: str, path: str, query: str) -> None:
    found = request(first=f"GET {target} HTTP/1.1")
    assert (found.path, found.query) == (path, query)


@pytest.mark.parametrize(
    ("first", "status"),
    [
        ("GET /x HTTP/2.0", 505),
        ("PRI * HTTP/2.0", 505),
        ("GET /x", 400),
        ("GET  /x HTTP/1.1", 400),
        ("GET /x y HTTP/1.1", 400),
        ("GET /x HTTP/1.1 ", 400),
        (" GET /x HTTP/1.1", 400),
        ("G(T /x HTTP/1.1", 400),
        ("GET x HTTP/1.1", 400),
        ("GET /%zz HTTP/1.1", 400),
        ("GET /% HTTP/1.1", 400),
        ("GET /\x7f HTTP/1.1", 400),
        ("GET /\x00 HTTP/1.1", 400),
        ("GET /x HTTP/1.1\r", 400),
        ("", 400),
    ],
)
def test_refused_request_lines(first: str, status: int) -> None:
    assert refused(first=first) == status


@pytest.mark.parametrize(
    ("lines", "status"),
    [
        (("Content-Length: 3", "Transfer-Encoding: chunked"), 400),
        (("Content-Length: 3", "Content-Length: 4"), 400),
        (("Content-Length: 3", "Content-Length: 3"), 400),
        (("Content-Length: 3, 3",), 400),
        (("Content-Length: +3",), 400),
        (("Content-Length: -3",), 400),
        (("Content-Length: 0x3",), 400),
        (("Content-Length: 3 4",), 400),
        (("Content-Length: ",), 400),
        (("Content-Length: 1_0",), 400),
        (("Content-Length: ٣".encode().decode("latin-1"),), 400),
        (("Content-Length: 9999999999999999999",), 400),
        (("Transfer-Encoding: chunked", "Transfer-Encoding: chunked"), 400),
        (("Transfer-Encoding: chunked, chunked",), 400),
        (("Transfer-Encoding: gzip, chunked",), 501),
        (("Transfer-Encoding: identity",), 501),
        (("Transfer-Encoding: xchunked",), 501),
        (("Transfer-Encoding: \x0bchunked",), 400),
        (("Transfer-Encoding : chunked",), 400),
        (("Content-Length : 3",), 400),
        (("A: b", " folded"), 400),
        ((" A: b",), 400),
        (("no colon",), 400),
        ((": nameless",), 400),
        (("A: b\rC: d",), 400),
        (("A: b\x00",), 400),
        (("A\tB: c",), 400),
        (("Host: a", "Host: b"), 400),
        (("Expect: 200-ok",), 417),
        (tuple(f"h{n}: x" for n in range(257)), 431),
    ],
)
def test_refused_headers(lines: tuple[str, ...], status: int) -> None:
    assert refused(*lines) == status


def test_transfer_encoding_needs_http_1_1() -> None:
    assert refused("Transfer-Encoding: chunked", first="POST /x HTTP/1.0") == 400


def test_bodies() -> None:
    assert request("Content-Length: 007").content_length == 7
    assert request("Transfer-Encoding: Chunked").is_chunked
    assert not request("Content-Length: 0").has_body


def test_any_host_will_do() -> None:
    for line in ("Host:", "Host: %2Fvar%2Frun%2Fdocker.sock", "Host: a b", "X: y"):
        assert request(line).method == "POST"


@pytest.mark.parametrize(
    ("first", "connection", "keeps"),
    [
        ("GET / HTTP/1.1", None, True),
        ("GET / HTTP/1.1", "close", False),
        ("GET / HTTP/1.1", "Upgrade, CLOSE", False),
        ("GET / HTTP/1.0", None, False),
        ("GET / HTTP/1.0", "Keep-Alive", True),
        ("GET / HTTP/1.0", "keep-alive, close", False),
    ],
)
def test_keep_alive(first: str, connection: str | None, keeps: bool) -> None:
    assert request(*([] if connection is None else [f"Connection: {connection}"]), first=first).keep_alive is keeps


def test_upgrade_is_decided_by_its_header_alone() -> None:
    assert request("Upgrade: tcp", "Connection: keep-alive").upgrade == "tcp"
    assert request("Connection: upgrade").upgrade == ""


def test_expect_continue_counts_only_with_a_body_and_http_1_1() -> None:
    assert request("Expect: 100-Continue", "Content-Length: 1").expects_continue
    assert not request("Expect: 100-continue").expects_continue
    assert not request("Expect: 100-continue", "Content-Length: 1", first="POST / HTTP/1.0").expects_continue


def test_bare_line_feeds_end_lines_too() -> None:
    assert head("GET /_ping HTTP/1.0\nA: b\n\n").headers == (("a", "b"),)
    assert find_head_end(b"GET / HTTP/1.0\nA: b\n\nrest") == len(b"GET / HTTP/1.0\nA: b\n\n")
    assert find_head_end(b"GET / HTTP/1.0\r\nA: b\r\n\n") == len(b"GET / HTTP/1.0\r\nA: b\r\n\n")
    assert find_head_end(b"GET / HTTP/1.0\r\nA: b\r\n\r") == -1


@given(st.binary(max_size=300))
def test_garbage_gives_a_head_or_the_declared_error(data: bytes) -> None:
    try:
        parse_head(data)
    except HttpError:
        pass


TOKEN = st.text("abcdefghijklmnopqrstuvwxyzABCXYZ0123456789-_!#", min_size=1, max_size=12).filter(
    lambda name: name.lower() not in {"host", "content-length", "transfer-encoding", "expect", "connection", "upgrade"}
)
VALUE = st.text(st.characters(min_codepoint=0x20, max_codepoint=0xFF, exclude_characters="\x7f"), max_size=30)


@given(st.lists(st.tuples(TOKEN, VALUE), max_size=20))
def test_headers_come_back_as_they_were(fields: list[tuple[str, str]]) -> None:
    found = request(*(f"{name}: {value}" for name, value in fields))
    assert found.headers == tuple((name.lower(), value.strip(" \t")) for name, value in fields)


# --- chunked bodies ------------------------------------------------------------------------------------------------------------


def chunked(pieces: list[bytes], extension: bytes = b"", trailers: bytes = b"") -> bytes:
    body = b"".join(b"%x%b\r\n%b\r\n" % (len(piece), extension, piece) for piece in pieces if piece)
    return body + b"0%b\r\n" % extension + trailers + b"\r\n"


def run(decoder: ChunkedDecoder, pieces: list[bytes]) -> tuple[bytes, int | None]:
    """What comes out, and the status of the error that ends it."""
    out = b""
    for piece in pieces:
        try:
            out += decoder.feed(piece)
        except HttpError as error:
            return out, error.status
    return out, None


def cut(data: bytes, cuts: list[int]) -> list[bytes]:
    edges = [0, *sorted(at % (len(data) + 1) for at in cuts), len(data)]
    return [data[a:b] for a, b in itertools.pairwise(edges)]


@given(
    st.lists(st.binary(max_size=40), max_size=8),
    st.sampled_from([b"", b";a=b", b" ;x", b"\t"]),
    st.sampled_from([b"", b"A: b\r\n", b"A: b\r\nC: d\r\n"]),
    st.binary(max_size=20),
    st.lists(st.integers(0, 1000), max_size=12),
)
def test_any_split_of_a_chunked_body_gives_the_same(
    pieces: list[bytes], extension: bytes, trailers: bytes, rest: bytes, cuts: list[int]
) -> None:
    decoder = ChunkedDecoder()
    out, status = run(decoder, cut(chunked(pieces, extension, trailers) + rest, cuts))
    assert (out, status, decoder.is_done, decoder.rest) == (b"".join(pieces), None, True, rest)


@given(
    st.binary(max_size=120) | st.text("0123afAF;\r\n x", max_size=120).map(str.encode),
    st.lists(st.integers(0, 1000), max_size=12),
)
def test_any_split_of_garbage_gives_the_same(data: bytes, cuts: list[int]) -> None:
    whole, split = ChunkedDecoder(), ChunkedDecoder()
    out, status = run(whole, [data])
    out_split, status_split = run(split, cut(data, cuts))
    assert status_split == status
    if status is None:
        assert (out_split, split.is_done, split.rest) == (out, whole.is_done, whole.rest)


@pytest.mark.parametrize(
    "data",
    [
        b"3\nabc\r\n0\r\n\r\n",
        b"3\r\nabcX\r\n",
        b"3\r\nabc\n0\r\n\r\n",
        b"\r\n",
        b"x\r\n",
        b"-1\r\n",
        b"0x3\r\n",
        b"+3\r\n",
        b" 3\r\n",
        b"3 4\r\n",
        b"1234567890123456\r\n",
        b"0\r\nA: b\n\r\n",
        b"3\r\r\n",
    ],
)
def test_broken_chunks_are_refused(data: bytes) -> None:
    assert run(ChunkedDecoder(), [data])[1] == 400


def test_endless_lines_and_trailers_are_refused() -> None:
    assert run(ChunkedDecoder(), [b"3;" + b"x" * 5000])[1] == 431
    assert run(ChunkedDecoder(), [b"3;"] + [b"x"] * 5000)[1] == 431
    assert run(ChunkedDecoder(), [b"0\r\n" + b"A: b\r\n" * 3000])[1] == 431


def test_a_piece_that_is_all_payload_is_not_copied() -> None:
    decoder = ChunkedDecoder()
    decoder.feed(b"100000\r\n")
    piece = bytes(1000)
    assert decoder.feed(piece) is piece
