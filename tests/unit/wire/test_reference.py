"""Image references: what people write, what it means, and what dockerd refuses in which words."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wharfd.model.errors import InvalidParameter
from wharfd.wire.reference import Reference, is_digest, is_tag, parse_any, parse_digest, parse_normalised

HEX = "a1" * 32
DIGEST = f"sha256:{HEX}"


@pytest.mark.parametrize(
    ("text", "canonical", "familiar"),
    [
        ("alpine", "docker.io/library/alpine", "alpine"),
        ("alpine:3.20", "docker.io/library/alpine:3.20", "alpine:3.20"),
        ("me/app", "docker.io/me/app", "me/app"),
        ("docker.io/alpine", "docker.io/library/alpine", "alpine"),
        ("docker.io/library/alpine", "docker.io/library/alpine", "alpine"),
        ("index.docker.io/me/app:1", "docker.io/me/app:1", "me/app:1"),
        ("library/a/b", "docker.io/library/a/b", "library/a/b"),
        ("localhost/app", "localhost/app", "localhost/app"),
        ("localhost", "docker.io/library/localhost", "localhost"),
        ("example.com/app", "example.com/app", "example.com/app"),
        ("example.com", "docker.io/library/example.com", "example.com"),
        ("reg:5000/a/b:t", "reg:5000/a/b:t", "reg:5000/a/b:t"),
        ("reg:5000", "docker.io/library/reg:5000", "reg:5000"),
        ("[::1]:5000/a", "[::1]:5000/a", "[::1]:5000/a"),
        ("REG/a", "REG/a", "REG/a"),
        ("a__b/c-----d.e_f", "docker.io/a__b/c-----d.e_f", "a__b/c-----d.e_f"),
        ("my_app.x/web", "my_app.x/web", "my_app.x/web"),
        (f"alpine@{DIGEST}", f"docker.io/library/alpine@{DIGEST}", f"alpine@{DIGEST}"),
        (f"alpine:1@{DIGEST}", f"docker.io/library/alpine:1@{DIGEST}", f"alpine:1@{DIGEST}"),
        (HEX[:63], f"docker.io/library/{HEX[:63]}", HEX[:63]),
    ],
)
def test_forms(text: str, canonical: str, familiar: str) -> None:
    reference = parse_normalised(text)
    assert reference.canonical() == canonical
    assert reference.familiar() == familiar
    assert parse_normalised(canonical) == reference
    assert parse_normalised(familiar) == reference


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Foo", "invalid reference format: repository name (library/Foo) must be lowercase"),
        ("me/Foo:1", "invalid reference format: repository name (me/Foo) must be lowercase"),
        ("example.com/Foo", "invalid reference format: repository name (Foo) must be lowercase"),
        ("Foo_bar/x", "repository name must be lowercase"),
        (HEX, f"invalid repository name ({HEX}), cannot specify 64-byte hexadecimal strings"),
        ("", "invalid reference format"),
        (":x", "invalid reference format"),
        ("a:", "invalid reference format"),
        ("a:-x", "invalid reference format"),
        ("a:" + "t" * 129, "invalid reference format"),
        ("a/", "invalid reference format"),
        ("/a", "invalid reference format"),
        ("a//b", "invalid reference format"),
        ("-a", "invalid reference format"),
        ("a..b", "invalid reference format"),
        ("a___b", "invalid reference format"),
        ("a b", "invalid reference format"),
        ("a\n", "invalid reference format"),
        ("é", "invalid reference format"),
        ("ex_ample.com/-x", "invalid reference format"),
        ("a@", "invalid reference format"),
        ("a@sha256:12", "invalid reference format"),
        (f"a@sha256:{HEX[:62]}", "invalid checksum digest length"),
        (f"a@sha256:{HEX.upper()}", "invalid checksum digest format"),
        (f"a@md6:{HEX}", "unsupported digest algorithm"),
        ("a" * 256, "repository name must not be more than 255 characters"),
    ],
)
def test_refused(text: str, message: str) -> None:
    with pytest.raises(InvalidParameter) as caught:
        parse_normalised(text)
    assert str(caught.value) == message


def test_any_knows_ids_and_digests() -> None:
    assert parse_any(HEX) == DIGEST
    assert parse_any(DIGEST) == DIGEST
    assert parse_any("alpine") == Reference("docker.io", "library/alpine")


def test_tags_and_digests_can_be_put_on_and_taken_off() -> None:
    bare = parse_normalised("alpine")
    assert bare.with_default_tag().familiar() == "alpine:latest"
    assert bare.with_tag("3").with_default_tag().familiar() == "alpine:3"
    assert bare.with_tag("3").with_digest(DIGEST).familiar() == f"alpine@{DIGEST}"
    assert bare.with_digest(DIGEST).with_default_tag().tag is None
    assert bare.with_tag("3").name_only() == bare
    assert str(bare.with_tag("3")) == "docker.io/library/alpine:3"
    with pytest.raises(InvalidParameter, match="invalid tag format"):
        bare.with_tag("")
    with pytest.raises(InvalidParameter, match="invalid checksum digest length"):
        bare.with_digest("sha256:1")


@pytest.mark.parametrize(
    ("text", "valid"), [(DIGEST, True), ("sha512:" + "0" * 128, True), ("sha512:" + "0" * 64, False), ("x", False)]
)
def test_digests(text: str, valid: bool) -> None:
    assert is_digest(text) is valid
    if valid:
        assert parse_digest(text) == text
    else:
        with pytest.raises(InvalidParameter):
            parse_digest(text)


parts = st.from_regex(r"[a-z0-9]{1,6}(?:(?:[._]|__|-{1,3})[a-z0-9]{1,4}){0,2}", fullmatch=True)
references = st.builds(
    Reference,
    domain=st.sampled_from(["docker.io", "localhost", "reg.example:5000", "[fe80::1]", "UPPER"]),
    path=st.lists(parts, min_size=2, max_size=4).map("/".join),
    tag=st.one_of(st.none(), st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,9}", fullmatch=True)),
    digest=st.one_of(st.none(), st.just(DIGEST)),
)


@given(references)
def test_formatted_and_parsed_again_is_the_same(reference: Reference) -> None:
    assert parse_normalised(reference.canonical()) == reference
    if "." not in reference.path.partition("/")[0]:  # else its short form looks like a host
        assert parse_normalised(reference.familiar()) == reference


@given(st.text(alphabet="aZ0._-:/@[]sh256é\n", max_size=30))
def test_any_text_parses_or_is_refused_and_parses_stably(text: str) -> None:
    try:
        reference = parse_any(text)
    except InvalidParameter:
        return
    if isinstance(reference, Reference):
        assert parse_normalised(reference.canonical()) == reference
        assert reference.tag is None or is_tag(reference.tag)
