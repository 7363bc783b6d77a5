"""What the builder keeps is listed: `verify` finds nothing after builds that went well, failed, were pruned, or broke off."""

from tests.engine import Engine, UnixConnection
from tests.integration.build.contexts import Builder, context, dockerfile
from tests.integration.engine.rig import done, until
from wharfd.app.verify.check import WRONG, check

STEPS = (
    "COPY f /f",
    "RUN echo once > /once",
    "RUN --mount=type=cache,target=/c echo x > /c/x",
    "RUN rm /once && mkdir /d",
)


def is_whole(engine: Engine) -> None:
    root = str(engine.data_root)
    until(lambda: not any(each.kind in WRONG for each in check(root).findings), lambda: str(check(root).findings))


def test_builds_leave_what_their_records_say(builder: Builder) -> None:
    engine = builder.engine
    built = builder.build(*STEPS, files={"f": "1"}, t="verified:1")
    assert "Successfully built" in built.text, built.text
    assert len(check(str(engine.data_root)).records.build_cache) >= len(STEPS)
    is_whole(engine)
    builder.build("COPY f /f", "RUN exit 3", files={"f": "2"})
    is_whole(engine)
    done(engine.delete("/images/verified:1"), 200)
    is_whole(engine)
    done(engine.post("/build/prune?all=1"), 200)
    is_whole(engine)
    assert check(str(engine.data_root)).records.build_cache == []


def test_an_engine_that_is_killed_in_a_build(lone: Engine) -> None:
    archive = context({"Dockerfile": dockerfile(*STEPS, "RUN sleep 600"), "f": "1"})
    client = UnixConnection(lone.socket, lone.timeout)
    try:
        client.request("POST", "/build", archive, {"Content-Type": "application/x-tar"})
        answer = client.getresponse()
        until(lambda: b"sleep 600" in answer.readline(), "the build does not come to its last step")
        lone.restart(kill=True)
    finally:
        client.close()
    is_whole(lone)
    built = Builder(lone).build(*STEPS, files={"f": "1"})
    assert built.cached >= 2
    is_whole(lone)
