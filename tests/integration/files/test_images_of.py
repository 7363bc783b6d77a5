"""Containers turned into something else: changes told, exported and imported, committed and run."""

import io
import tarfile
import time

from tests.engine import BASE_IMAGE, Engine
from tests.integration.files.rig import actions, changes, files, put_members
from tests.tars import entry

SCRIPT = (
    "echo x > /etc/new; rm /etc/group; rm -rf /var; mkdir /var; echo 1 > /var/n; chmod 600 /etc/passwd; "
    "mkdir -p /q/w; echo y > /q/w/f; echo v > /vol/f; ln -s /etc/new /q/link; chmod 4755 /q/w/f"
)


def test_changes_as_dockerd_tells_them(engine: Engine) -> None:
    ref = engine.create("sh", "-c", SCRIPT, HostConfig={"Binds": ["v1:/vol"]})
    assert changes(engine, ref) is None
    assert engine.get(f"/containers/{ref}/changes").body == b"null\n"
    assert engine.post(f"/containers/{ref}/start").status == 204
    engine.wait(ref)
    assert changes(engine, ref) == {
        "/etc": 0,
        "/etc/group": 2,
        "/etc/new": 1,
        "/etc/passwd": 0,
        "/q": 1,
        "/q/link": 1,
        "/q/w": 1,
        "/q/w/f": 1,
        "/var": 0,
        "/var/n": 1,
        "/var/spool": 2,
        "/var/tmp": 2,
        "/vol": 1,
    }


def test_an_export_becomes_an_image_that_runs(engine: Engine) -> None:
    ref = engine.run("sh", "-c", SCRIPT, HostConfig={"Binds": ["v1:/vol"]})
    engine.wait(ref)
    exported = engine.get(f"/containers/{ref}/export")
    assert exported.headers["content-type"] == "application/octet-stream"
    content = files(exported)
    assert (content["etc/new"], content["q/w/f"]) == (b"x\n", b"y\n")
    assert "vol/f" not in content
    query = {"fromSrc": "-", "repo": "imported", "tag": "1"}
    assert engine.post("/images/create", exported.body, query=query).status == 200
    command = "cat /etc/new /q/link; ls /etc/group; ls /vol 2>/dev/null; stat -c %a /etc/passwd /q/w/f"
    code, text = engine.run_to_end("sh", "-c", command, Image="imported:1")
    assert code == 0
    assert [line for line in text.splitlines() if "group" not in line] == ["x", "x", "600", "4755"]
    assert "/etc/group: No such file" in text


def test_a_commit_becomes_an_image_that_runs(engine: Engine) -> None:
    ref = engine.run("sh", "-c", f"{SCRIPT}; sleep 1000", Env=["KEPT=1"], HostConfig={"Binds": ["v1:/vol"]})
    deadline = time.monotonic() + 30
    while "/q/link" not in (changes(engine, ref) or {}):
        assert time.monotonic() < deadline
    time.sleep(0.2)
    since = time.time()
    query = {
        "container": ref,
        "repo": "committed",
        "tag": "1",
        "comment": "the comment",
        "author": "the author",
        "changes": 'ENV ADDED=2\nCMD ["sh", "-c", "echo $KEPT $ADDED; cat /etc/new; ls /etc/group; ls /var /vol"]',
    }
    answer = engine.post("/commit", query=query)
    assert answer.status == 201
    image = engine.get("/images/committed:1/json").json
    assert answer.json == {"Id": image["Id"]}
    assert (image["Author"], image["Comment"]) == ("the author", "the comment")
    assert set(image["Config"]["Env"]) >= {"KEPT=1", "ADDED=2"}
    base = engine.get(f"/images/{BASE_IMAGE}/json").json
    assert image["RootFS"]["Layers"][:-1] == base["RootFS"]["Layers"]
    history = engine.get("/images/committed:1/history").json
    assert (history[0]["Comment"], history[0]["CreatedBy"][:6]) == ("the comment", "sh -c ")
    assert len(history) == 1 + len(engine.get(f"/images/{BASE_IMAGE}/history").json)
    assert actions(engine, since) == [
        "container pause",
        "container unpause",
        "image create",
        "image tag",
        "container commit",
    ]
    assert engine.inspect(ref)["State"]["Status"] == "running"
    made = engine.post("/containers/create", {"Image": "committed:1"}).json["Id"]
    assert engine.post(f"/containers/{made}/start").status == 204
    engine.wait(made)
    text = engine.output(made)
    assert text.splitlines()[:2] == ["1 2", "x"]
    assert "/etc/group: No such file" in text
    assert "n" in text.splitlines()
    assert "f" not in text.splitlines()  # of the volume
    assert changes(engine, made) is None


def test_a_commit_without_changes_has_no_layer(engine: Engine) -> None:
    ref = engine.create("true")
    image = engine.get(f"/images/{engine.post('/commit', query={'container': ref}).json['Id']}/json").json
    assert image["RootFS"] == engine.get(f"/images/{BASE_IMAGE}/json").json["RootFS"]
    assert image["RepoTags"] == []


def test_the_body_of_a_commit_is_a_config(engine: Engine) -> None:
    ref = engine.create("own", "command", Env=["A=container", "B=container"], Labels={"l": "container"})
    body = {"Cmd": ["given"], "Env": ["A=body"], "Labels": {"m": "body"}}
    answer = engine.post("/commit", body, query={"container": ref, "changes": "USER nobody"})
    config = engine.get(f"/images/{answer.json['Id']}/json").json["Config"]
    assert config["Cmd"] == ["given"]
    assert [each for each in config["Env"] if each[:2] in {"A=", "B="}] == ["A=body", "B=container"]
    assert (config["User"], config["Labels"]["l"], config["Labels"]["m"]) == ("nobody", "container", "body")


def test_what_a_commit_refuses(engine: Engine) -> None:
    ref = engine.create("true")
    rows = [
        ({"container": "none"}, 404, "No such container: none"),
        ({}, 400, 'invalid name or ID supplied: ""'),
        ({"container": ref, "repo": "Upper"}, 400, "must be lowercase"),
        ({"container": ref, "changes": "RUN true"}, 400, "RUN is not a valid change command"),
        ({"container": ref, "repo": "x", "tag": "!"}, 400, "invalid tag format"),
    ]
    for query, status, words in rows:
        answer = engine.post("/commit", query=query)
        assert answer.status == status
        assert words in answer.message


def test_a_commit_of_a_commit(engine: Engine) -> None:
    ref = engine.create("true")
    names = []
    for number in range(3):
        put_members(engine, ref, "/tmp", entry(f"f{number}", b"x"))
        assert engine.post("/commit", query={"container": ref, "repo": "chain", "tag": str(number)}).status == 201
        ref = engine.create("ls", "/tmp", Image=f"chain:{number}")
        names.append(f"f{number}")
    assert engine.post(f"/containers/{ref}/start").status == 204
    engine.wait(ref)
    assert engine.output(ref).split() == names


def test_an_export_of_thousands_of_files_is_a_whole_archive(engine: Engine) -> None:
    ref = engine.create("true")
    put_members(engine, ref, "/tmp", *(entry(f"d{n % 10}/f{n}", b"x" * n) for n in range(2000)))
    answer = engine.get(f"/containers/{ref}/export")
    with tarfile.open(fileobj=io.BytesIO(answer.body)) as tar:
        sizes = {member.name: member.size for member in tar if member.name.startswith("tmp/d")}
    assert all(sizes[f"tmp/d{n % 10}/f{n}"] == n for n in range(2000))
