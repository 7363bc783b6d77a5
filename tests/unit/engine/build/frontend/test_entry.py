"""What the builder is asked for, and requests that are not for a build."""

import json

import msgspec
import pytest

from tests.unit.engine.build.frontend.rig import AMD64, FakeBridge, build, image
from wharfd.engine.build.frontend.entry import check_family, dockerfile_frontend, gateway_frontend
from wharfd.engine.build.graph import Output, Vertex, walk
from wharfd.engine.build.ops import ExecOp, FileOp, ImageSource, LocalSource
from wharfd.engine.build.requests import FrontendRequest
from wharfd.model.errors import InvalidParameter, NotFound, NotImplementedHere
from wharfd.wire.dockerfile import DockerfileError
from wharfd.wire.oci import digest_of, encode_config


def metadata(found: dict[str, bytes]) -> FrontendRequest:
    return FrontendRequest(attributes={key: value.decode() for key, value in found.items()})


async def test_only_what_the_target_needs_is_looked_up() -> None:
    bridge = FakeBridge()
    await build(
        "FROM a AS a\nFROM missing AS b\nFROM a AS c\nCOPY --from=d x y\nCOPY --from=e x y\n", {"target": "c"}, bridge
    )
    assert sorted(ref for ref, _ in bridge.asked) == [
        "docker.io/library/a:latest",
        "docker.io/library/d:latest",
        "docker.io/library/e:latest",
    ]
    assert bridge.asked[0][1] == "[internal] load metadata for docker.io/library/a:latest"


@pytest.mark.parametrize(
    ("base", "name"),
    [
        ("a", "docker.io/library/a:latest"),
        ("host:5000/x/a:1", "host:5000/x/a:1"),
        (f"a@sha256:{'b' * 64}", "docker.io/library/a"),
        (f"a:1@sha256:{'b' * 64}", "docker.io/library/a:1"),
    ],
)
async def test_a_base_keeps_its_tag_beside_its_digest(base: str, name: str) -> None:
    root = (await build(f"FROM {base}\n")).roots[""]
    assert root is not None
    assert isinstance(root.vertex.op, ImageSource)
    assert root.vertex.op.ref.partition("@sha256:")[0] == name


async def test_what_is_read_and_under_which_name() -> None:
    bridge = FakeBridge()
    await build("FROM a\nCOPY x y\n", {"local-sessionid:context": "s1"}, bridge)
    assert bridge.read == [
        "[internal] load build definition from Dockerfile: Dockerfile",
        "[internal] load build definition from Dockerfile: Dockerfile.dockerignore",
        "[internal] load .dockerignore: .dockerignore",
    ]


async def test_the_context_knows_what_is_used_of_it_and_what_is_ignored() -> None:
    bridge = FakeBridge(files={"context": {".dockerignore": b"*.o\n"}})
    result = await build("FROM a\nCOPY x/ y* /z/\nRUN --mount=source=m,target=/m true\n", {}, bridge)
    assert context_of(result.roots[""]) == LocalSource(
        name="context", shared_key="context", exclude=["*.o"], follow_paths=["m", "x", "y*"]
    )


async def test_an_ignore_file_of_the_dockerfiles_own_counts_alone() -> None:
    files = {"context": {".dockerignore": b"*.o\n"}, "dockerfile": {"Dockerfile.dockerignore": b"*.a\n"}}
    result = await build("FROM a\nCOPY . /z/\n", {}, FakeBridge(files=files))
    assert context_of(result.roots[""]) == LocalSource(name="context", shared_key="context", exclude=["*.a"])


def context_of(root: Output | None) -> LocalSource:
    assert root is not None
    ops = [each.vertex.op for each in root.vertex.inputs]
    return next(op for op in ops if isinstance(op, LocalSource))


async def test_a_dockerfile_in_small_letters_is_found() -> None:
    bridge = FakeBridge(files={"dockerfile": {"dockerfile": b"FROM a\n"}})
    assert (await dockerfile_frontend(FrontendRequest(), bridge)).roots[""] is not None


@pytest.mark.parametrize("filename", ["Dockerfile", "other/Dockerfile", "x"])
async def test_no_dockerfile(filename: str) -> None:
    with pytest.raises(NotFound) as caught:
        await dockerfile_frontend(FrontendRequest(attributes={"filename": filename}), FakeBridge())
    assert str(caught.value) == f"failed to read dockerfile: open {filename}: no such file or directory"


async def test_an_error_brings_the_file_along() -> None:
    with pytest.raises(DockerfileError) as caught:
        await build("FROM a\nRUM x\n")
    assert (caught.value.filename, caught.value.data) == ("Dockerfile", b"FROM a\nRUM x\n")


@pytest.mark.parametrize(
    "name",
    [
        "docker/dockerfile",
        "docker/dockerfile:1.7",
        "docker.io/docker/dockerfile-upstream:master",
        "mirror:5000/docker/dockerfile:1",
    ],
)
async def test_frontends_whose_work_we_do(name: str) -> None:
    check_family(name)
    assert (await build(f"# syntax={name}\nFROM a\n")).roots[""] is not None
    bridge = FakeBridge(files={"dockerfile": {"Dockerfile": b"FROM a\n"}})
    assert (await gateway_frontend(FrontendRequest(attributes={"source": name}), bridge)).roots[""] is not None


@pytest.mark.parametrize("name", ["docker/buildkit-syft-scanner", "dockerfile:1", "ghcr.io/some/frontend"])
async def test_frontends_that_are_refused(name: str) -> None:
    with pytest.raises(NotImplementedHere, match="does not run frontend images"):
        await build(f"# syntax={name}\nFROM a\n")
    with pytest.raises(NotImplementedHere):
        await build("FROM a\n", {"build-arg:BUILDKIT_SYNTAX": name})


async def test_a_frontend_by_no_name() -> None:
    with pytest.raises(InvalidParameter, match="failed to parse frontend image A:B:C"):
        await build("# syntax=A:B:C\nFROM a\n")


@pytest.mark.parametrize(
    ("attributes", "text"),
    [
        ({"frontend.caps": "moby.buildkit.frontend.foo"}, "unsupported frontend capability moby.buildkit.frontend.foo"),
        ({"requestid": "frontend.foo"}, "unsupported request frontend.foo"),
    ],
)
async def test_what_this_frontend_does_not_do(attributes: dict[str, str], text: str) -> None:
    with pytest.raises(NotImplementedHere) as caught:
        await build("FROM a\n", attributes)
    assert str(caught.value) == text


async def test_capabilities_that_buildx_asks_for() -> None:
    caps = "moby.buildkit.frontend.inputs,moby.buildkit.frontend.contexts+forward,moby.buildkit.frontend.subrequests"
    await build("FROM a\n", {"frontend.caps": caps})


OUTLINED = """ARG GLOBAL=alpine
ARG UNUSED=x
# base The base stage
FROM ${GLOBAL} AS base
# FOO what foo is
ARG FOO=bar
RUN --mount=type=secret,id=tok,required --mount=type=ssh --mount=type=cache,target=/c true
FROM base
ARG BAZ
RUN --mount=type=secret,id=tok --mount=type=secret,target=/etc/other true
maintainer x
"""


async def test_outline() -> None:
    result = await build(OUTLINED, {"requestid": "frontend.outline", "build-arg:FOO": "given"})
    found = json.loads(result.metadata["result.json"])
    assert [(each["name"], each.get("value"), each.get("description")) for each in found["args"]] == [
        ("GLOBAL", "alpine", None),
        ("FOO", "given", "what foo is"),
        ("BAZ", None, None),
    ]
    assert [(each["name"], each.get("required")) for each in found["secrets"]] == [("tok", True), ("other", None)]
    assert [each["name"] for each in found["ssh"]] == ["default"]
    assert found["args"][0]["location"] == {"ranges": [{"start": {"line": 1}, "end": {"line": 1}}]}
    assert result.metadata["result.txt"].decode().startswith("BUILD ARG   VALUE    DESCRIPTION\nGLOBAL      alpine\n")


async def test_outline_of_a_stage_with_a_name() -> None:
    result = await build(OUTLINED, {"requestid": "frontend.outline", "target": "base"})
    found = json.loads(result.metadata["result.json"])
    assert (found["name"], found["description"]) == ("base", "The base stage")
    assert (
        result.metadata["result.txt"]
        .decode()
        .startswith("TARGET:      base\nDESCRIPTION: The base stage\n\nBUILD ARG ")
    )


async def test_targets() -> None:
    result = await build(OUTLINED, {"requestid": "frontend.targets"})
    found = json.loads(result.metadata["result.json"])["targets"]
    assert [{key: value for key, value in each.items() if key != "location"} for each in found] == [
        {"name": "base", "description": "The base stage", "base": "${GLOBAL}"},
        {"default": True, "base": "base"},
    ]
    assert result.metadata["result.txt"].decode() == "TARGET      DESCRIPTION\nbase        The base stage\n(default)\n"


async def test_lint() -> None:
    result = await build(OUTLINED, {"requestid": "frontend.lint"})
    found = json.loads(result.metadata["result.json"])
    assert [each["ruleName"] for each in found["warnings"]] == ["MaintainerDeprecated", "ConsistentInstructionCasing"]
    assert "buildError" not in found
    assert result.metadata["result.statuscode"] == b"1"
    text = result.metadata["result.txt"].decode()
    assert "WARNING: MaintainerDeprecated - https://docs.docker.com/go/dockerfile/rule/maintainer-deprecated/\n" in text
    assert "  11 | >>> maintainer x\n" in text


async def test_lint_looks_at_all_stages_unless_one_is_named() -> None:
    text = "FROM a AS one\nMAINTAINER x\nWORKDIR rel\nFROM a AS two\n"
    for target, names in (("", ["MaintainerDeprecated", "WorkdirRelativePath"]), ("two", ["MaintainerDeprecated"])):
        result = await build(text, {"requestid": "frontend.lint", "target": target})
        found = json.loads(result.metadata["result.json"])
        assert [each["ruleName"] for each in found["warnings"]] == names


async def test_lint_of_what_is_good_and_of_what_is_broken() -> None:
    good = await build("FROM a\n", {"requestid": "frontend.lint"})
    assert json.loads(good.metadata["result.json"])["warnings"] is None
    assert good.metadata["result.statuscode"] == b"0"
    broken = await build("FROM a\nRUM x\n", {"requestid": "frontend.lint"})
    assert json.loads(broken.metadata["result.json"])["buildError"] == {
        "message": "dockerfile parse error on line 2: unknown instruction: RUM (did you mean RUN?)",
        "location": {"ranges": [{"start": {"line": 2}, "end": {"line": 2}}]},
    }


async def test_describe() -> None:
    result = await dockerfile_frontend(
        FrontendRequest(attributes={"requestid": "frontend.subrequests.describe"}), FakeBridge()
    )
    names = [each["name"] for each in json.loads(result.metadata["result.json"])]
    assert names == ["frontend.lint", "frontend.outline", "frontend.targets", "frontend.subrequests.describe"]


async def test_warnings_are_told_once_for_all_platforms_and_before_a_failure() -> None:
    bridge = FakeBridge()
    await build("FROM a AS B\n", {"platform": "linux/amd64,linux/arm64"}, bridge)
    assert [warning.short for warning in bridge.warnings] == [
        b"StageNameCasing: Stage name 'B' should be lowercase (line 1)"
    ]
    assert bridge.warnings[0].vertex is not None
    assert bridge.warnings[0].source is not None
    bridge = FakeBridge()
    with pytest.raises(DockerfileError):
        await build("FROM a AS B\nWORKDIR ${x\n", {}, bridge)
    assert len(bridge.warnings) == 1


async def test_a_caller_who_wants_other_checks_than_the_file() -> None:
    bridge = FakeBridge()
    attributes = {"build-arg:BUILDKIT_DOCKERFILE_CHECK": "skip=all"}
    await build("# check=error=true\nFROM a AS B\n", attributes, bridge)
    assert not bridge.warnings


async def test_broken_check_options() -> None:
    with pytest.raises(InvalidParameter) as caught:
        await build("# check=foo\nFROM a\n")
    assert str(caught.value) == 'failed to parse check options: invalid check option "foo"'


async def test_platforms_of_a_result() -> None:
    result = await build("FROM a\n", {"platform": "linux/arm/v7,linux/amd64"})
    assert list(result.roots) == ["linux/arm/v7", "linux/amd64"]
    assert json.loads(result.metadata["refs.platforms"]) == {
        "Platforms": [
            {"ID": "linux/arm/v7", "Platform": {"architecture": "arm", "os": "linux", "variant": "v7"}},
            {"ID": "linux/amd64", "Platform": {"architecture": "amd64", "os": "linux"}},
        ]
    }
    config = json.loads(result.metadata["containerimage.config/linux/arm/v7"])
    assert (config["architecture"], config["variant"]) == ("arm", "v7")


async def test_one_platform_that_was_asked_for() -> None:
    result = await build("FROM a\n", {"platform": "linux/arm64"})
    assert list(result.roots) == [""]
    assert json.loads(result.metadata["containerimage.config"])["architecture"] == "arm64"


async def test_the_bases_config_is_handed_on_unchanged() -> None:
    document = image(cmd=["x"], on_build=["ENV A=1"])
    bridge = FakeBridge(images={"docker.io/library/a:latest": document})
    result = await build("FROM a\n", {}, bridge)
    base = json.loads(result.metadata["containerimage.base.config"])
    assert base["config"]["OnBuild"] == ["ENV A=1"]
    assert base["created"] == "2020-01-01T00:00:00Z"
    config = json.loads(result.metadata["containerimage.config"])
    assert "OnBuild" not in config["config"]
    assert "created" not in config
    assert "A=1" in config["config"]["Env"]


async def test_an_image_without_layers_is_an_empty_root() -> None:
    document = msgspec.structs.replace(image(), history=[], rootfs=type(image().rootfs)())
    result = await build("FROM a\n", {}, FakeBridge(images={"docker.io/library/a:latest": document}))
    assert result.roots == {"": None}


async def test_steps_in_the_order_of_the_file() -> None:
    result = await build("ARG X\nFROM a AS one\nRUN one\nFROM a AS two\nENV A=1\nCOPY --from=one /x /y\n")
    assert [(step.text, step.stage, step.is_run) for step in result.steps] == [
        ("ARG X", -1, False),
        ("FROM a AS one", 0, False),
        ("RUN one", 0, True),
        ("FROM a AS two", 1, False),
        ("ENV A=1", 1, False),
        ("COPY --from=one /x /y", 1, False),
    ]
    assert result.steps[-1].output == result.roots[""]
    assert result.steps[4].output is result.steps[3].output
    assert [len(json.loads(step.config).get("history", [])) for step in result.steps] == [0, 1, 2, 1, 2, 3]


async def test_triggers_belong_to_the_step_of_their_base() -> None:
    bridge = FakeBridge(images={"docker.io/library/a:latest": image(on_build=["RUN trigger"])})
    result = await build("FROM a\nRUN x\n", {}, bridge)
    assert [step.text for step in result.steps] == ["FROM a", "RUN x"]
    output = result.steps[0].output
    assert output is not None
    assert output.vertex.name == "[2/3] ONBUILD RUN trigger"


async def test_which_lines_a_step_comes_from() -> None:
    result = await build("FROM a\nRUN x \\\n  y\nCOPY --link b c\n")
    root = result.roots[""]
    assert root is not None
    found = {}
    for vertex in walk([root]):
        for source, ranges in result.places.get(vertex.digest, ()):
            assert source.filename == "Dockerfile"
            found[vertex.name] = [each.start_line for each in ranges]
    assert found == {
        "[1/3] FROM docker.io/library/a:latest@" + digest_of(b"docker.io/library/a:latest"): [1],
        "[2/3] RUN x   y": [2, 3],
        "[3/3] COPY --link b c": [4],
        "[3/3] LINK COPY --link b c": [4],
    }


async def test_the_same_file_gives_the_same_digests_whatever_it_is_called() -> None:
    one = await build("FROM a\nRUN x\nCOPY b c\n")
    other = await build("FROM a\n\n# comment\nRUN   x\nCOPY b    c\n")
    roots = [result.roots[""] for result in (one, other)]
    assert roots[0] is not None
    assert roots[1] is not None
    assert roots[0].vertex.digest == roots[1].vertex.digest


async def test_an_input_that_a_client_has_solved_is_a_context() -> None:
    given = Vertex(op=LocalSource(name="mine")).output()
    config = msgspec.json.encode({"containerimage.config": encode_config(image(user="me"))}).decode()
    attributes = {"context:base": "input:in", "input-metadata:in": config}
    result = await build("FROM base\nRUN x\n", attributes, inputs={"in": given})
    root = result.roots[""]
    assert root is not None
    assert root.vertex.inputs == (given,)
    assert isinstance(root.vertex.op, ExecOp)
    assert root.vertex.op.user == "me"
    for value, message in (
        ("input:no", "invalid input no for base"),
        ("foo:x", "unsupported context source foo for base"),
    ):
        with pytest.raises(InvalidParameter) as caught:
            await build("FROM base\n", {"context:base": value})
        assert str(caught.value) == message


async def test_inputs_instead_of_the_clients_directories() -> None:
    context = Vertex(op=LocalSource(name="mine")).output()
    result = await build("FROM a\nCOPY x y\n", inputs={"context": context})
    root = result.roots[""]
    assert root is not None
    assert context in root.vertex.inputs


ARCHIVE = b"\x1f\x8b\x08" + b"\0" * 400


async def test_a_context_from_the_net() -> None:
    name = "[internal] load remote build context"
    unpacked = FakeBridge(files={name: {"context": ARCHIVE}, "copy": {"Dockerfile": b"FROM a\nCOPY x y\n"}})
    result = await dockerfile_frontend(FrontendRequest(attributes={"context": "https://host/x.tgz"}), unpacked)
    root = result.roots[""]
    assert root is not None
    unpack = root.vertex.inputs[1].vertex.op
    assert isinstance(unpack, FileOp)
    assert "unpack" in str(unpack)
    plain = FakeBridge(files={name: {"context": b"FROM b\nRUN x\n"}})
    result = await dockerfile_frontend(FrontendRequest(attributes={"context": "https://host/Dockerfile"}), plain)
    root = result.roots[""]
    assert root is not None
    base = root.vertex.inputs[0].vertex.op
    assert isinstance(base, ImageSource)
    assert base.ref.startswith("docker.io/library/b:latest@")


async def test_a_base_for_another_platform_is_told() -> None:
    bridge = FakeBridge(images={"docker.io/library/a:latest": image("arm64")})
    await build("FROM a\n", {"platform": "linux/amd64"}, bridge)
    assert [warning.short.decode() for warning in bridge.warnings] == [
        'InvalidBaseImagePlatform: Base image a was pulled with platform "linux/arm64", '
        'expected "linux/amd64" for current build (line 1)'
    ]
    assert bridge.platform == AMD64


async def test_a_chain_of_thousands_of_steps() -> None:
    text = "FROM a\n" + "".join(f"RUN {number}\n" for number in range(3000))
    root = (await build(text)).roots[""]
    depth = 0
    while root is not None and root.vertex.inputs:
        root, depth = root.vertex.inputs[0], depth + 1
    assert depth == 3000


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("FROM a\n" + "EXPOSE 1-65535\n" * 2000, "grows too large"),
        ("FROM a\n" + "".join(f"ARG A{number}=x\nRUN x\n" for number in range(9000)), "grows too large"),
        ("FROM a\nENV X=" + "x" * 60_000 + "\n" + "LABEL y=$X z=$X\n" * 1000, "grows too large"),
        ("FROM a\n" + "RUN x\n" * 20_000, "more than 20000 instructions"),
        ("#" * (4 << 20) + "\nFROM a\n", "is larger than 4194304 bytes"),
    ],
)
async def test_files_that_would_grow_without_end(text: str, message: str) -> None:
    with pytest.raises(InvalidParameter, match=message):
        await build(text)


async def test_a_file_with_more_steps_than_can_be_told() -> None:
    result = await build("FROM a\n" + "USER x\n" * 2000)
    assert list(result.steps) == []
    assert result.roots[""] is not None
    few = (await build("FROM a\nUSER x\n")).steps
    assert [step.text for step in few[1:]] == ["USER x"]
