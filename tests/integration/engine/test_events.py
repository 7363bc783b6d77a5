"""Events of a container's life, in order, with what they tell; their history over restarts of the engine."""

import time
from collections.abc import Callable
from typing import Any

from tests.engine import BASE_IMAGE, Engine
from tests.integration.engine.rig import actions, done, events_of, past_events, script, streaming

RUN = ["container create", "network connect", "container start", "network disconnect", "container die"]


def destruction(identifier: str) -> Callable[[Any], bool]:
    return lambda event: (event["Actor"]["ID"], event["Action"]) == (identifier, "destroy")


def test_one_life_as_it_happens(engine: Engine) -> None:
    with streaming(engine, "/events") as stream:
        identifier = engine.create(*script("exit 3"), name="box", Labels={"team": "red"})
        done(engine.post(f"/containers/{identifier}/start"))
        assert engine.wait(identifier) == 3
        done(engine.delete(f"/containers/{identifier}"))
        told = events_of(stream, destruction(identifier))
    assert actions(told) == [*RUN, "container destroy"]
    labels = engine.get(f"/images/{BASE_IMAGE}/json").json["Config"]["Labels"]
    attributes = {**labels, "image": BASE_IMAGE, "name": "box", "team": "red"}
    by_action = {f"{event['Type']} {event['Action']}": event["Actor"] for event in told}
    assert by_action["container create"] == {"ID": identifier, "Attributes": attributes}
    died = by_action["container die"]["Attributes"]
    assert {key: died[key] for key in attributes} == attributes
    assert died["exitCode"] == "3"
    network = by_action["network connect"]
    assert network == by_action["network disconnect"]
    assert network["Attributes"] == {"container": identifier, "name": "bridge", "type": "bridge"}
    assert network["ID"] == engine.get("/networks/bridge").json["Id"]
    assert [event["timeNano"] for event in told] == sorted(event["timeNano"] for event in told)
    assert past_events(engine, container=[identifier]) == [event for event in told if event["Type"] == "container"]


def test_a_life_with_everything(engine: Engine) -> None:
    identifier = engine.create("sleep", "1000", HostConfig={"AutoRemove": True}, Volumes={"/data": {}})
    calls = ("start", "pause", "unpause", "rename?name=other", "restart?t=0", "kill?signal=WINCH")
    for call in calls:
        done(engine.post(f"/containers/{identifier}/{call}"))
    with streaming(engine, "/events", since=str(time.time() - 3600)) as stream:
        done(engine.post(f"/containers/{identifier}/stop?t=0"))
        told = events_of(stream, destruction(identifier))
    mine = [
        event for event in told if identifier in (event["Actor"]["ID"], event["Actor"]["Attributes"].get("container"))
    ]
    run = ["volume mount", "network connect", "container start"]
    end = ["network disconnect", "volume unmount", "container die"]
    assert [word for word in actions(mine) if word != "container stop"] == [
        *("container create", *run, "container pause", "container unpause", "container rename"),
        *("container kill", "container kill", *end, *run, "container restart", "container kill"),
        *("container kill", "container kill", *end, "container destroy"),
    ]


def test_a_start_that_fails_tells_of_no_start(engine: Engine) -> None:
    identifier = engine.create("nosuch")
    done(engine.post(f"/containers/{identifier}/start"), 400)
    assert actions(past_events(engine, container=[identifier])) == ["container create"]


def test_history_survives_the_engine(engine: Engine) -> None:
    identifier = engine.run("true")
    engine.wait(identifier)
    before = past_events(engine)
    engine.restart(kill=True)
    assert past_events(engine) == before
    done(engine.delete(f"/containers/{identifier}"))
    assert actions(past_events(engine, container=[identifier])) == [
        word for word in [*RUN, "container destroy"] if word.startswith("container")
    ]


def test_filters(engine: Engine) -> None:
    one, two = engine.run("true"), engine.run("false")
    engine.wait(one)
    engine.wait(two)
    assert {event["Actor"]["ID"] for event in past_events(engine, container=[one])} == {one}
    ends = past_events(engine, event=["die"], container=[one, two])
    assert sorted(event["Actor"]["Attributes"]["exitCode"] for event in ends) == ["0", "1"]
    assert {event["Type"] for event in past_events(engine, type=["network"])} == {"network"}
