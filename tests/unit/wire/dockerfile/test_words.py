import pytest

from wharfd.wire.dockerfile.errors import DockerfileError
from wharfd.wire.dockerfile.words import BACKSLASH, BACKTICK, MAX_DEPTH, MAX_LENGTH, Rules, expand

ENV = {
    "A": "hello.tar.gz",
    "EMPTY": "",
    "P": "/usr/local/bin",
    "TWO": "a b",
    "LINES": "one\ntwo",
    "Ä": "umlaut",
    "STAR": "a*b",
}


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("plain", "plain"),
        ("", ""),
        ("$A", "hello.tar.gz"),
        ("${A}", "hello.tar.gz"),
        ("x${A}y$A", "xhello.tar.gzyhello.tar.gz"),
        ("$A-$A", "hello.tar.gz-hello.tar.gz"),
        ("$Ä", "umlaut"),
        ("$UNSET", ""),
        ("$", "$"),
        ("$$", ""),
        ("a$ b", "a$ b"),
        ("$1x", "x"),
        ("$12x", "x"),
        ("$@", ""),
        ("${A:-word}", "hello.tar.gz"),
        ("${EMPTY:-word}", "word"),
        ("${EMPTY-word}", ""),
        ("${UNSET-word}", "word"),
        ("${UNSET:-$A}", "hello.tar.gz"),
        ("${UNSET:-${UNSET:-'a}b'}}", "a}b"),
        ("${A:+word}", "word"),
        ("${EMPTY:+word}", ""),
        ("${EMPTY+word}", "word"),
        ("${UNSET+word}", ""),
        ("${A?}", "hello.tar.gz"),
        ("${A#*.}", "tar.gz"),
        ("${A##*.}", "gz"),
        ("${A%.*}", "hello.tar"),
        ("${A%%.*}", "hello"),
        ("${A#h?l}", "lo.tar.gz"),
        ("${A%nothing}", "hello.tar.gz"),
        ("${UNSET#x}", ""),
        ("${P//\\//_}", "_usr_local_bin"),
        ("${P/\\//_}", "_usr/local/bin"),
        ("${P//l*l/L}", "/usr/L/bin"),
        ("${STAR/\\*/-}", "a-b"),
        ("${A/./}", "hellotar.gz"),
        ("${A//[/x}", "hello.tar.gz"),
        ("'$A'", "$A"),
        ('"$A"', "hello.tar.gz"),
        ("\"'$A'\"", "'hello.tar.gz'"),
        ("'a\\'", "a\\"),
        (r"\$A", "$A"),
        (r'"\$A \" \\ \n"', '$A " \\ \\n'),
        (r"a\ b", "a b"),
        ("a\\", "a"),
        ('"a\\', None),
    ],
)
def test_expand(text: str, result: str | None) -> None:
    if result is None:
        with pytest.raises(DockerfileError):
            expand(text, ENV)
    else:
        assert expand(text, ENV).text == result


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("${A", 'failed to process "${A": unsupported modifier (\ufffd) in substitution'),
        ("${", "failed to process \"${\": syntax error: missing '}'"),
        ("${}", 'failed to process "${}": syntax error: bad substitution'),
        ("${{A}", 'failed to process "${{A}": syntax error: bad substitution'),
        ("${A:", "failed to process \"${A:\": syntax error: missing '}'"),
        ("${A:x}", 'failed to process "${A:x}": unsupported modifier (:x) in substitution'),
        ("${A!x}", 'failed to process "${A!x}": unsupported modifier (!) in substitution'),
        ("${A/x", "failed to process \"${A/x\": syntax error: missing '/' in ${}"),
        ("${A/x/y", "failed to process \"${A/x/y\": syntax error: missing '}'"),
        ("${A#\\x}", "failed to process \"${A#\\\\x}\": invalid pattern (\\x) in substitution: invalid escape '\\x'"),
        ("${U?}", 'failed to process "${U?}": U: is not allowed to be unset'),
        ("${EMPTY:?}", 'failed to process "${EMPTY:?}": EMPTY: is not allowed to be empty'),
        ("${U:?give me $A}", 'failed to process "${U:?give me $A}": U: give me hello.tar.gz'),
        ("'x", 'failed to process "\'x": unexpected end of statement while looking for matching single-quote'),
        ('"x', 'failed to process "\\"x": unexpected end of statement while looking for matching double-quote'),
    ],
)
def test_what_is_refused(text: str, message: str) -> None:
    with pytest.raises(DockerfileError) as caught:
        expand(text, ENV)
    assert str(caught.value) == message


def test_the_escape_character_can_be_another() -> None:
    assert expand("C:\\x`$A `` \\$A", ENV, BACKTICK).text == "C:\\x$A ` \\hello.tar.gz"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a  b", ["a", "b"]),
        ("$TWO c", ["a", "b", "c"]),
        ('"$TWO" c', ["a b", "c"]),
        ("x$TWO'c d'e", ["xa", "bc de"]),
        ("'' a", ["a"]),
        ("$EMPTY", []),
        (r"a\ b c", ["a b", "c"]),
        (" a ", ["a"]),
    ],
)
def test_words_are_split_after_the_replacement(text: str, words: list[str]) -> None:
    assert expand(text, ENV).words() == words


@pytest.mark.parametrize(
    ("rules", "text", "result"),
    [
        (Rules(keep_quotes=True), "'$A' \"$A\"", "'$A' \"hello.tar.gz\""),
        (Rules(keep_escapes=True), r"\$A \x", r"\$A \x"),
        (Rules(keep_unset=True), "$U ${U} ${U:-x} ${U/a/b} $A", "$U ${U} ${U:-x} ${U/a/b} hello.tar.gz"),
        (Rules(quotes=False), "'$A' \"$TWO", "'hello.tar.gz' \"a b"),
    ],
)
def test_rules(rules: Rules, text: str, result: str) -> None:
    assert expand(text, ENV, rules).text == result


def test_what_was_looked_for_is_known() -> None:
    found = expand("$A ${U:-$V} ${EMPTY}", ENV)
    assert found.used == {"A", "EMPTY"}
    assert found.unset == {"U", "V"}


def test_nothing_grows_without_end() -> None:
    env = {"X": "x" * (MAX_LENGTH // 2 + 1)}
    assert len(expand("$X", env).text) == MAX_LENGTH // 2 + 1
    for text in ("$X$X", '"$X$X"', "${Y:-$X$X}", "${X//x/yyyyyyyy}"):
        with pytest.raises(DockerfileError, match="longer than"):
            expand(text, env)
    deep = "${U:-" * (MAX_DEPTH + 1) + "}" * (MAX_DEPTH + 1)
    with pytest.raises(DockerfileError, match="nested too deeply"):
        expand(deep, {}, BACKSLASH)
