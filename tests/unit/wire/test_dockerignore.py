import pytest

from wharfd.model.errors import InvalidParameter
from wharfd.wire.dockerignore import PathPatterns, compiled, parse_ignore_file, step, tokenise, walk

CASES = [
    (["**"], "file", True),
    (["**"], "dir/file", True),
    (["**/"], "dir/file", True),
    (["**/**"], "dir/dir/file", True),
    (["dir/**"], "dir/file", True),
    (["dir/**"], "dir", False),
    (["**/dir2/*"], "dir/dir2/file", True),
    (["**/dir2/*"], "dir/dir2/dir2/file", True),
    (["**/dir2/**"], "dir/dir2/dir2/file/", True),
    (["**file"], "dir/file", True),
    (["**file"], "file", True),
    (["**/file"], "dir/file", True),
    (["**/file"], "dir/afile", False),
    (["**/file*"], "dir/dir/file.txt", True),
    (["**/file*txt"], "dir/dir/file.txt", True),
    (["**/**/*.txt"], "dir/file.txt", True),
    (["**/**/*.txt2"], "dir/file.txt", False),
    (["a**/*.txt"], "a/file.txt", True),
    (["a**/*.txt"], "a/dir/file.txt", True),
    (["a/*.txt"], "a/dir/file.txt", False),
    (["a[b-d]e"], "ae", False),
    (["a[b-d]e"], "ace", True),
    (["a[^b-d]e"], "aze", True),
    (["a\\*b"], "a*b", True),
    ([".*"], ".foo", True),
    ([".*"], "foo", False),
    (["abc.def"], "abcdef", False),
    (["abc?def"], "abcZdef", True),
    (["a\\b"], "ab", True),
    (["**/foo/bar"], "in/foo/bar", True),
    (["**/foo/bar"], "foo/bar", True),
    (["docs"], "docs/a/b", True),
    (["docs", "!docs/README.md"], "docs/README.md", False),
    (["docs", "!docs/README.md"], "docs/other", True),
    (["docs", "!docs/sub"], "docs/sub/x", False),
    (["*", "!a", "a/b"], "a/b/c", True),
    (["*.md", "!README*.md", "README-secret.md"], "README-secret.md", True),
    (["a*b*c*d*e"], "axbxcxdxe", True),
    (["a*b*c*d*e"], "axbxcxdx/e", False),
    (["**/a*/**/b*/**/c"], "x/a1/y/z/b2/c", True),
    (["**/a*/**/b*/**/c"], "x/a1/y/z/b2c", False),
]


@pytest.mark.parametrize(("patterns", "path", "expected"), CASES)
def test_patterns(patterns: list[str], path: str, expected: bool) -> None:
    assert PathPatterns(patterns).match(path.rstrip("/")) is expected


@pytest.mark.parametrize(("patterns", "path", "_"), [case for case in CASES if len(case[0]) == 1])
def test_both_ways_of_matching_agree(patterns: list[str], path: str, _: bool) -> None:
    path = path.rstrip("/")
    steps = [step(token) for token in tokenise(patterns[0].rstrip("/"))]
    assert walk(steps, path) is compiled(patterns[0].rstrip("/"))(path)


def test_a_pattern_with_many_stars_takes_no_time() -> None:
    assert not PathPatterns(["*a" * 60 + "b"]).match("a" * 4000)


@pytest.mark.parametrize("text", ["!", "[", "a[", "[]a]["])
def test_what_is_no_pattern_is_refused(text: str) -> None:
    with pytest.raises(InvalidParameter):
        PathPatterns([text])


def test_an_excluded_directory_may_hold_what_is_not() -> None:
    patterns = PathPatterns(["docs", "!docs/README.md"])
    assert patterns.may_spare("docs")
    assert not patterns.may_spare("doc")


def test_an_ignore_file() -> None:
    text = "\ufeff# comment\n\n  *.log \n/abs/path/\n! /keep\n#not\nsub/../x\n"
    assert parse_ignore_file(text) == ["*.log", "abs/path", "!keep", "x"]


def test_two_stars_before_a_plain_name_may_end_within_a_name() -> None:
    """Unlike elsewhere: Docker compares the end of the path then."""
    assert PathPatterns(["**file"]).match("dir/myfile")
    assert not PathPatterns(["**/file"]).match("dir/myfile")
    assert not PathPatterns(["**f?le"]).match("dir/myfile")
