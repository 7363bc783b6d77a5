import pytest

from wharfd.wire.dockerfile.errors import DockerfileError, LineRange
from wharfd.wire.dockerfile.statements import MAX_LINE, Statement, StatementReader, split_command


def read(text: str) -> list[Statement]:
    return list(StatementReader(text))


def sources(text: str) -> list[str]:
    return [statement.source for statement in read(text)]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", []),
        ("\n\n  \n", []),
        ("# comment\n", []),
        ("RUN a", ["RUN a"]),
        ("\ufeffRUN a\r\nRUN b\r\n", ["RUN a", "RUN b"]),
        ("  RUN a  \n", ["RUN a"]),
        ("RUN a \\\n  b \\  \n\tc", ["RUN a   b \tc"]),
        ("RUN a \\\n# comment\n   # another\n b", ["RUN a  b"]),
        ("RUN a \\\n\n\n b", ["RUN a  b"]),
        ("RUN a \\\n", ["RUN a"]),
        ("RUN a \\\\\nRUN b", ["RUN a \\\\", "RUN b"]),
        ("\\\nRUN a", ["RUN a"]),
        ("RUN a \\ b", ["RUN a \\ b"]),
        ("RUN a # no comment", ["RUN a # no comment"]),
        ("# escape=`\nRUN a `\nb\nRUN c \\\nRUN d", ["RUN a b", "RUN c \\", "RUN d"]),
        ("RUN a\n# escape=`\nRUN b `\nRUN c", ["RUN a", "RUN b `", "RUN c"]),
        ("RUN <<E\n# kept\nE\nRUN b", ["RUN <<E", "RUN b"]),
    ],
)
def test_statements(text: str, found: list[str]) -> None:
    assert sources(text) == found


def test_lines_count_from_one_and_take_in_all_that_belongs() -> None:
    text = "\n# c\nRUN a \\\n  b\n\nCOPY <<x <<y /z\n1\nx\n2\ny\nENV A=1\n"
    assert [(each.lines.start, each.lines.end) for each in read(text)] == [(3, 4), (6, 10), (11, 11)]


@pytest.mark.parametrize(
    ("text", "comments"),
    [
        ("# one\n# two\nRUN", ("one", "two")),
        ("# one\n\nRUN", ("one",)),
        ("# one\n#\n# two\nRUN", ("two",)),
        ("#one\nRUN x\nRUN", ("one",)),
        ("# syntax=x\n# one\nRUN", ("one",)),
        ("  # one\nRUN", ("one",)),
    ],
)
def test_comments_right_above(text: str, comments: tuple[str, ...]) -> None:
    assert read(text)[0].comments == comments


def test_an_empty_line_in_a_continuation_is_told() -> None:
    assert [each.warned_line for each in read("RUN a \\\n\n  b\nRUN c \\\n d")] == [3, 0]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("RUN <<EOF\na\nb\nEOF\n", [("EOF", "a\nb\n", True)]),
        ("RUN <<EOF", None),
        ("RUN <<EOF\nEOF", [("EOF", "", True)]),
        ("RUN <<'EOF'\n$a\nEOF", [("EOF", "$a\n", False)]),
        ('RUN <<"E O"\nx\nE O', [("E O", "x\n", False)]),
        ("RUN <<E'O'F\nx\nEOF", [("EOF", "x\n", False)]),
        ("RUN <<-EOF\n\ta\n\tEOF", [("EOF", "a\n", True)]),
        ("RUN <<EOF\n\tEOF\nEOF", [("EOF", "\tEOF\n", True)]),
        ("RUN <<a <<b cat\n1\na\n2\nb", [("a", "1\n", True), ("b", "2\n", True)]),
        ("RUN 4<<a\n1\na", [("a", "1\n", True)]),
        ("RUN <<EOF\r\na\r\nEOF\r\n", [("EOF", "a\r\n", True)]),
        ("RUN <<$A\nx\n$A", [("$A", "x\n", True)]),
        ("RUN cat <<< here", []),
        ("RUN echo '<<EOF'", []),
        ("RUN echo << EOF", []),
        ('RUN ["<<EOF"]', []),
        ("CMD cat <<EOF", []),
        ('RUN echo "<<EOF', []),
        ("ONBUILD RUN <<EOF\nx\nEOF", [("EOF", "x\n", True)]),
        ("ONBUILD CMD <<EOF", []),
    ],
)
def test_heredocs(text: str, found: list[tuple[str, str, bool]] | None) -> None:
    if found is None:
        with pytest.raises(DockerfileError, match="unterminated heredoc"):
            read(text)
        return
    heredocs = read(text)[0].heredocs
    assert [(each.name, each.text, each.expand) for each in heredocs] == found


@pytest.mark.parametrize(
    ("source", "name", "flags", "arguments"),
    [
        ("RUN", "RUN", (), ""),
        ("RUN\ta b ", "RUN", (), "a b"),
        ("copy --from=x --link a b", "copy", ("--from=x", "--link"), "a b"),
        ("X --a=\"b c\" --d='e' f", "X", ("--a=b c", "--d=e"), "f"),
        (r"X --a=b\ c d", "X", ("--a=b c",), "d"),
        ("X -- --a", "X", (), "--a"),
        ("X --a", "X", ("--a",), ""),
        ("X a --b", "X", (), "a --b"),
        ("X -a", "X", (), "-a"),
        ('X --a="b', "X", ("--a=b",), ""),
    ],
)
def test_split_command(source: str, name: str, flags: tuple[str, ...], arguments: str) -> None:
    assert split_command(source) == (name, flags, arguments)


@pytest.mark.parametrize(
    ("text", "message", "lines"),
    [
        ("# escape=x\nRUN", "invalid escape token 'x' does not match ` or \\", LineRange(1, 1)),
        ("# escape=`\n# Escape=`\nRUN", "only one escape parser directive can be used", LineRange(2, 2)),
        ("RUN a\nRUN <<X\ny", "unterminated heredoc", LineRange(2, 3)),
        ("RUN a\n" + "x" * (MAX_LINE + 1), "dockerfile line greater than max allowed size of 65535", LineRange(2, 2)),
        (
            "RUN <<X\n" + "ä" * (MAX_LINE // 2 + 1) + "\nX",
            "dockerfile line greater than max allowed size of 65535",
            LineRange(2, 2),
        ),
    ],
)
def test_what_is_refused(text: str, message: str, lines: LineRange) -> None:
    with pytest.raises(DockerfileError) as caught:
        read(text)
    assert str(caught.value) == message
    assert caught.value.ranges == (lines,)
