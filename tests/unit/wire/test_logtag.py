"""Templates of tags: what Go makes of them, and its words for what is none."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wharfd.model.errors import InvalidParameter
from wharfd.wire.logtag import Fields, parse

BOX: Fields = {
    "ID": "0123456789ab",
    "FullID": "0123456789abcdef",
    "Name": "web",
    "ImageName": "busybox",
    "ContainerArgs": ["-c", "x y"],
    "ContainerLabels": {"com.docker.compose.service": "front", "b": "c"},
    "ExtraAttributes": {"MODE": "fast"},
    "Command": "sh -c x y",
}


@pytest.mark.parametrize(
    ("template", "wanted"),
    [
        ("", ""),
        ("plain }} text", "plain }} text"),
        ("{{.ID}}", "0123456789ab"),
        ("{{ .ImageName }}/{{.Name}}/{{.ID}}", "busybox/web/0123456789ab"),
        ('{{index .ContainerLabels "com.docker.compose.service"}}', "front"),
        ('{{index .ContainerLabels "nope"}}', ""),
        ("{{index .ContainerArgs 1}}", "x y"),
        ("{{(.ExtraAttributes nil).MODE}}", "fast"),
        ("{{ (.ExtraAttributes nil).NOPE }}", "<no value>"),
        ("{{.ContainerLabels.b}}", "c"),
        ("{{upper .Name}}", "WEB"),
        ("{{.Name | upper | lower}}", "web"),
        ("{{truncate .FullID 4}}", "0123"),
        ("{{truncate (upper .Name) 2}}", "WE"),
        ('{{join .ContainerArgs ","}}', "-c,x y"),
        ("{{.ContainerArgs}}", "[-c x y]"),
        ("{{.ContainerLabels}}", "map[b:c com.docker.compose.service:front]"),
        ('{{json .Name}}{{print "a" 1}}', '"web"a1'),
        ("{{pad .Name 1 2}}|", " web  |"),
        ('{{"quoted \\" text"}}{{`raw \\`}}', 'quoted " textraw \\'),
        ("a {{- .Name -}} b", "awebb"),
        ("{{/* nothing */}}x", "x"),
    ],
)
def test_templates(template: str, wanted: str) -> None:
    assert parse(template).render(BOX) == wanted


@pytest.mark.parametrize(
    ("template", "message"),
    [
        # dockerd 28's own words
        ("{{", "template: log-tag:1: unclosed action"),
        (
            "{{.Foo}}",
            'template: log-tag:1:2: executing "log-tag" at <.Foo>: can\'t evaluate field Foo in type *logger.Info',
        ),
        ("{{foo .Name}}", 'template: log-tag:1: function "foo" not defined'),
        ("{{}}", "template: log-tag:1: missing value for command"),
        ("{{(.Name}}", "template: log-tag:1: unclosed left paren"),
        ("{{.Name .ID}}", 'template: log-tag:1: unexpected ".ID" in operand'),
        ("{{if .Name}}x{{end}}", 'template: log-tag:1: function "if" not defined'),
        ("{{.Name | .ID}}", "template: log-tag:1: non executable command in pipeline stage 2"),
        ("{{.}}", 'template: log-tag:1: unexpected "." in operand'),
        ('{{"\\q"}}', 'template: log-tag:1: invalid syntax: "\\q"'),
        ("{{" + "(" * 60 + "}}", "template: log-tag:1: too many brackets"),
        ("{{#}}", "template: log-tag:1: unexpected '#' in command"),
    ],
)
def test_no_templates(template: str, message: str) -> None:
    with pytest.raises(InvalidParameter) as refusal:
        parse(template)
    assert str(refusal.value) == message


@pytest.mark.parametrize(
    "template",
    [
        "{{truncate .ID}}",
        "{{index .Name 1 2}}",
        "{{upper .ContainerArgs}}",
        "{{index .ContainerArgs 9}}",
        "{{pad .Name 999999999 0}}",
    ],
)
def test_what_a_function_cannot_take(template: str) -> None:
    with pytest.raises(InvalidParameter, match="error calling"):
        parse(template).render(BOX)


@given(st.text(alphabet='{}().|-"` \\nil0.NameIDupperindex/*', max_size=30))
def test_any_text_is_a_template_or_refused(text: str) -> None:
    try:
        parse(text).render(BOX)
    except InvalidParameter:
        pass
