import pytest

from wharfd.model.errors import InvalidParameter
from wharfd.wire.gitref import GitRef, parse_git_ref


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("https://host/a/b.git", GitRef(remote="https://host/a/b.git")),
        ("https://u:p@host:8443/b.git#v1", GitRef(remote="https://u:p@host:8443/b.git", ref="v1")),
        ("https://host/b.git#main:sub/dir/", GitRef(remote="https://host/b.git", ref="main", subdir="sub/dir")),
        ("https://host/b.git#:sub", GitRef(remote="https://host/b.git", subdir="sub")),
        ("git://host/b", GitRef(remote="git://host/b")),
        ("ssh://git@host:22/b.git#x", GitRef(remote="ssh://git@host:22/b.git", ref="x")),
        ("git@host:group/b.git#main", GitRef(remote="git@host:group/b.git", ref="main")),
        ("github.com/a/b", GitRef(remote="https://github.com/a/b", looks_local=True)),
        ("https://host/b.git?branch=x&subdir=d", GitRef(remote="https://host/b.git", ref="refs/heads/x", subdir="d")),
        ("https://host/b.git?tag=v1", GitRef(remote="https://host/b.git", ref="refs/tags/v1")),
        ("https://host/b.git?ref=r&checksum=abc", GitRef(remote="https://host/b.git", ref="r", checksum="abc")),
        (
            "https://host/b.git?keep-git-dir=1&submodules=false",
            GitRef(remote="https://host/b.git", keep_git_dir=True, submodules=False),
        ),
        ("https://host/b.git?keep-git-dir", GitRef(remote="https://host/b.git", keep_git_dir=True)),
        ("https://host/b.tar.gz", None),
        ("https://host/b", None),
        ("http://[bad", None),
        ("ftp://host/b.git", None),
        ("./a@b:c", None),
        ("../x.git", None),
        ("/abs/x.git", None),
        ("dir/file", None),
        ("a:b", None),
        ("", None),
    ],
)
def test_parse(text: str, found: GitRef | None) -> None:
    assert parse_git_ref(text) == found


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("https://host/b.git?foo=bar", 'unexpected query "foo"'),
        ("https://host/b.git?ref=a#b", "ref conflicts: b vs a"),
        ("https://host/b.git?subdir=a#b:c", "subdir conflicts: c vs a"),
        ("https://host/b.git?commit=a&checksum=b", "checksum conflicts: a vs b"),
        ("https://host/b.git?submodules=maybe", 'invalid submodules value: "maybe"'),
    ],
)
def test_what_is_refused(text: str, message: str) -> None:
    with pytest.raises(InvalidParameter) as caught:
        parse_git_ref(text)
    assert str(caught.value) == message
