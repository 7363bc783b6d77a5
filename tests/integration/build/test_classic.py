"""`POST /build` as clients without BuildKit use it; texts and shapes are dockerd's."""

import base64
import json
import re

import pytest

from tests.engine import BASE_IMAGE
from tests.integration.build.contexts import FROM, Builder, context, dockerfile, packed

ID = r"[0-9a-f]{12}"


def pattern(text: str) -> str:
    return re.escape(text).replace("ID", ID)


def test_a_build_tells_each_step(builder: Builder) -> None:
    built = builder.build(
        "ENV A=b",
        "COPY a.txt /a",
        "RUN cat /a; echo $A; echo err >&2",
        'CMD ["sh"]',
        files={"a.txt": "hello\n"},
        t="classic:x",
    )
    expected = [
        f"Step 1/5 : FROM {BASE_IMAGE}\n ---> ID\n",
        "Step 2/5 : ENV A=b\n ---> Running in ID\n ---> Removed intermediate container ID\n ---> ID\n",
        "Step 3/5 : COPY a.txt /a\n ---> ID\n",
        "Step 4/5 : RUN cat /a; echo $A; echo err >&2\n ---> Running in ID\n",
    ]
    for part in expected:
        assert re.search(pattern(part), built.text), (part, built.text)
    assert "hello\n" in built.text
    assert "\x1b[91merr\n\x1b[0m" in built.text
    short = built.image.removeprefix("sha256:")[:12]
    assert built.text.endswith(f"Successfully built {short}\nSuccessfully tagged classic:x\n")
    image = builder.engine.get("/images/classic:x/json").json
    assert image["Id"] == built.image
    assert image["Config"]["Cmd"] == ["sh"]
    assert "A=b" in image["Config"]["Env"]
    assert builder.run("classic:x", "cat", "/a") == "hello\n"


def test_a_second_build_uses_the_cache_and_makes_the_same_image(builder: Builder) -> None:
    steps = ("ENV X=1", "COPY f /f", "RUN echo once > /once", "WORKDIR /w", "LABEL a=b")
    first = builder.build(*steps, files={"f": "1"})
    second = builder.build(*steps, files={"f": "1"})
    assert second.image == first.image
    assert second.cached == len(steps)
    assert "Running in" not in second.text
    third = builder.build(*steps, files={"f": "2"})
    assert third.cached == 1
    assert third.image != first.image
    fourth = builder.build(*steps, files={"f": "1"}, nocache=1)
    assert fourth.cached == 0
    assert builder.build(*steps, files={"f": "1"}).image == fourth.image


def test_a_step_that_fails_ends_the_build_with_its_code(builder: Builder) -> None:
    built = builder.build("RUN echo before", "RUN echo x; exit 3", "RUN echo never")
    assert built.lines[-1] == {
        "errorDetail": {"code": 3, "message": "The command '/bin/sh -c echo x; exit 3' returned a non-zero code: 3"},
        "error": "The command '/bin/sh -c echo x; exit 3' returned a non-zero code: 3",
    }
    assert "never" not in built.text
    assert builder.build("RUN echo before", "RUN exit 0").cached == 1


@pytest.mark.parametrize(
    ("step", "message"),
    [
        (
            "COPY nope /x",
            "COPY failed: file not found in build context or excluded by .dockerignore: stat nope: file does not exist",
        ),
        ("ADD nope* /x", "ADD failed: no source files were specified"),
        ("COPY --from=0 /a /b", ""),
        ("RUN nope", "The command '/bin/sh -c nope' returned a non-zero code: 127"),
        ('RUN ["/nope"]', "failed to create task for container: "),
    ],
)
def test_what_cannot_be_done_is_told_in_dockerds_words(builder: Builder, step: str, message: str) -> None:
    answer = builder.send(context({"Dockerfile": dockerfile(step)}))
    if not message:
        assert answer.status == 400
        return
    assert answer.lines()[-1]["error"].startswith(message)


@pytest.mark.parametrize(
    ("files", "query", "status", "message"),
    [
        ({"Dockerfile": FROM + "FOO bar\n"}, {}, 400, "dockerfile parse error on line 2: unknown instruction: FOO"),
        ({"Dockerfile": "\n"}, {}, 400, "the Dockerfile (Dockerfile) cannot be empty"),
        ({"x": "y"}, {}, 400, "Cannot locate specified Dockerfile: Dockerfile"),
        ({"Dockerfile": FROM}, {"dockerfile": "../D"}, 400, "forbidden path outside the build context: ../D ()"),
        ({"Dockerfile": "RUN true\n"}, {}, 400, "no build stage in current context"),
        ({"Dockerfile": FROM}, {"target": "zz"}, 400, 'target stage "zz" could not be found'),
        ({"Dockerfile": FROM}, {"t": "A:B:c"}, 400, "invalid reference format"),
        ({"Dockerfile": FROM}, {"squash": 1}, 400, "squash is only supported with experimental mode"),
        ({"Dockerfile": FROM}, {"version": 3}, 400, 'invalid version "3"'),
        ({"Dockerfile": FROM}, {"platform": "zz"}, 400, '"zz": unknown operating system or architecture'),
        ({"Dockerfile": FROM}, {"buildargs": "zz"}, 400, "error reading build args: invalid character 'z'"),
        ({"Dockerfile": FROM}, {"labels": "zz"}, 400, "error reading labels: invalid character 'z'"),
        ({"Dockerfile": FROM}, {"ulimits": "zz"}, 400, "error reading ulimit settings: invalid character 'z'"),
        ({"Dockerfile": FROM}, {"isolation": "zz"}, 400, 'unsupported isolation: "zz"'),
    ],
    ids=str,
)
def test_what_is_wrong_from_the_beginning_is_a_status(
    builder: Builder, files: dict[str, str], query: dict[str, object], status: int, message: str
) -> None:
    answer = builder.send(context(files), query)
    assert (answer.status, answer.message[: len(message)]) == (status, message)


def test_only_the_id_is_told_quietly_unless_it_fails(builder: Builder) -> None:
    built = builder.build("RUN echo loud", q=1)
    assert re.fullmatch(r"sha256:[0-9a-f]{64}\n", built.text)
    failed = builder.build("RUN echo loud; false", q=1)
    assert "loud" in failed.text
    assert failed.error.endswith("returned a non-zero code: 1")


def test_several_stages_and_a_target(builder: Builder) -> None:
    lines = ("RUN echo one > /f", f"FROM {BASE_IMAGE} AS two", "COPY --from=0 /f /g", f"FROM {BASE_IMAGE}", "RUN false")
    built = builder.build(*lines, target="two", t="stages")
    assert "Step 4/4 : COPY --from=0 /f /g" in built.text
    assert builder.run("stages", "cat", "/g") == "one\n"


def test_arguments_labels_and_hosts(builder: Builder) -> None:
    built = builder.build(
        "ARG X",
        "ARG Y=2",
        "RUN echo $X $Y; grep given /etc/hosts; df -k /dev/shm | tail -1; ulimit -n",
        buildargs={"X": "1", "Z": "3", "Q": None},
        labels={"a": "b"},
        extrahosts="given:1.2.3.4",
        shmsize=1 << 20,
        ulimits=[{"Name": "nofile", "Soft": 100, "Hard": 200}],
    )
    assert "1 2\n1.2.3.4\tgiven\n" in built.text
    assert re.search(r"shm +1024 ", built.text)
    assert "100\n" in built.text
    assert "Step 5/5 : LABEL a=b" in built.text
    assert "[Warning] One or more build-args [Q Z] were not consumed\n" in built.text
    assert builder.engine.get(f"/images/{built.image}/json").json["Config"]["Labels"]["a"] == "b"


@pytest.mark.parametrize(("mode", "expected"), [("none", ["lo"]), ("default", ["eth0", "lo"]), ("host", None)])
def test_networks_of_steps(builder: Builder, mode: str, expected: list[str] | None) -> None:
    built = builder.build(f"RUN ls /sys/class/net # {mode}", networkmode=mode)
    if expected is not None:
        assert f"{chr(10).join(expected)}\n ---> Removed" in built.text
    else:
        assert "wt" in built.text


@pytest.mark.parametrize("compression", ["", "gzip", "bzip2", "xz", "zstd"])
def test_contexts_may_be_compressed(builder: Builder, compression: str) -> None:
    body = packed(context({"Dockerfile": dockerfile("COPY f /f"), "f": "data"}), compression)
    assert builder.send(body, {"t": "compressed"}).status == 200
    assert builder.run("compressed", "cat", "/f") == "data"


def test_a_dockerfile_of_another_name_and_one_in_small_letters(builder: Builder) -> None:
    answer = builder.send(context({"a/D": dockerfile("RUN echo named")}), {"dockerfile": "a/D"})
    assert b"named" in answer.body
    assert builder.send(context({"dockerfile": dockerfile("RUN echo small")})).status == 200


def test_what_the_ignore_file_says_of_the_dockerfile_counts(builder: Builder) -> None:
    built = builder.build("COPY . /c", "RUN ls -A /c", files={".dockerignore": "Dockerfile\n.dockerignore\n", "a": "a"})
    assert "\na\n ---> Removed" in built.text


def test_an_image_of_which_nothing_was_asked_is_the_base_itself(builder: Builder) -> None:
    built = builder.build(t="same")
    assert built.image == builder.engine.get(f"/images/{BASE_IMAGE}/json").json["Id"]
    assert builder.engine.get("/images/same/json").status == 200


def test_an_image_from_scratch(builder: Builder) -> None:
    answer = builder.send(context({"Dockerfile": "FROM scratch\nCOPY f /\nENV A=b\n", "f": "x"}), {"t": "scratched"})
    assert answer.status == 200
    assert len(builder.engine.get("/images/scratched/json").json["RootFS"]["Layers"]) == 1
    answer = builder.send(context({"Dockerfile": "FROM scratch\n"}))
    assert answer.lines()[-1]["error"] == "No image was generated. Is your Dockerfile empty?"


def test_mounts_of_steps(builder: Builder) -> None:
    secrets = base64.b64encode(json.dumps({"key": base64.b64encode(b"hidden").decode()}).encode()).decode()
    steps = [
        "RUN --mount=type=secret,id=key cat /run/secrets/key; stat -c %a /run/secrets/key",
        "RUN --mount=type=cache,target=/cache echo kept >> /cache/f; wc -l < /cache/f",
        "RUN --mount=type=bind,target=/ctx cat /ctx/f; (echo no > /ctx/f) 2>/dev/null || echo read-only",
        "RUN --mount=type=bind,rw,target=/ctx touch /ctx/g; echo $(ls -A /ctx)",
        "RUN --mount=type=tmpfs,target=/tmp/t touch /tmp/t/x && df /tmp/t | grep tmpfs",
        "RUN ls -d /run/secrets /cache /ctx /tmp/t 2>/dev/null || echo nothing left",
    ]
    body = context({"Dockerfile": dockerfile(*steps), "f": "bound\n"})
    answer = builder.send(body, {"t": "mounts"}, X_Wharf_Build_Secrets=secrets)
    text = "".join(line.get("stream", "") for line in answer.lines())
    assert "hidden400\n" in text
    assert "bound\nread-only\n" in text
    assert "\nDockerfile f g\n" in text
    assert "nothing left" in text
    again = builder.send(body, {"nocache": 1}, X_Wharf_Build_Secrets=secrets)
    assert "\n2\n" in "".join(line.get("stream", "") for line in again.lines())
    history = builder.engine.get("/images/mounts/history").json
    assert "hidden" not in json.dumps(history)
    failed = builder.build("RUN --mount=type=secret,id=other,required=true true")
    assert failed.error == "secret other: not found"


def test_history_and_layers_of_the_image(builder: Builder) -> None:
    built = builder.build("RUN echo layer > /l", "ENV A=b", "COPY f /f", files={"f": "f"})
    history = builder.engine.get(f"/images/{built.image}/history").json
    assert [bool(each["Size"]) for each in history[:3]] == [True, False, True]
    assert "RUN /bin/sh -c echo layer > /l" in history[2]["CreatedBy"]
    base = builder.engine.get(f"/images/{BASE_IMAGE}/json").json["RootFS"]["Layers"]
    layers = builder.engine.get(f"/images/{built.image}/json").json["RootFS"]["Layers"]
    assert layers[: len(base)] == base
    assert len(layers) == len(base) + 2


def test_users_and_owners(builder: Builder) -> None:
    built = builder.build(
        "RUN echo me:x:1234:1234::/home/me: >> /etc/passwd && mkdir -p /home/me && chown 1234 /home/me",
        "COPY --chown=me f /mine",
        "COPY f /theirs",
        "USER me",
        "RUN id -u; stat -c '%u %a' /mine /theirs; touch /home/me/x && stat -c %u /home/me/x",
        files={"f": "f"},
    )
    assert "1234\n1234 644\n0 644\n1234\n" in built.text


def test_stages_that_nothing_needs_are_built_too_up_to_the_target(builder: Builder) -> None:
    lines = ("RUN echo lost", f"FROM {BASE_IMAGE} AS wanted", "RUN echo wanted", f"FROM {BASE_IMAGE}", "RUN echo never")
    built = builder.build(*lines, target="wanted")
    assert "Step 2/4 : RUN echo lost\n" in built.text
    assert "Step 4/4 : RUN echo wanted\n" in built.text
    assert "never" not in built.text
