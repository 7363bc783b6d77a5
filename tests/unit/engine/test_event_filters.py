"""Which events pass which filters."""

import pytest

from wharfd.engine.event_filters import event_matcher
from wharfd.testing.builders import an_event
from wharfd.wire.filters import parse_filters

WEB = an_event(
    type="container",
    action="start",
    actor_id="4f1c" + "0" * 60,
    attributes={"image": "registry.example.org/team/app:1.2", "name": "web-1", "tier": "front"},
)
EXEC = an_event(type="container", action="exec_create: ls -l", actor_id="beef", attributes={"image": "alpine"})
HEALTH = an_event(type="container", action="health_status: healthy", actor_id="beef", attributes={"name": "db"})
NET = an_event(type="network", action="connect", actor_id="ab12", attributes={"name": "webnet", "type": "bridge"})
PULL = an_event(type="image", action="pull", actor_id="alpine:latest", attributes={"name": "alpine"})
TAG = an_event(type="image", action="tag", actor_id="sha256:" + "c" * 64, attributes={"name": "team/app:2"})
VOLUME = an_event(type="volume", action="mount", actor_id="data", attributes={"driver": "local"}, scope="global")
ALL = {"WEB": WEB, "EXEC": EXEC, "HEALTH": HEALTH, "NET": NET, "PULL": PULL, "TAG": TAG, "VOLUME": VOLUME}


@pytest.mark.parametrize(
    ("filters", "passing"),
    [
        ("", "WEB EXEC HEALTH NET PULL TAG VOLUME"),
        ("{}", "WEB EXEC HEALTH NET PULL TAG VOLUME"),
        ('{"type":["container"]}', "WEB EXEC HEALTH"),
        ('{"type":["container","volume"]}', "WEB EXEC HEALTH VOLUME"),
        ('{"type":["contain"]}', ""),
        ('{"event":["start"]}', "WEB"),
        ('{"event":["exec_create"]}', "EXEC"),
        ('{"event":["exec_create: ls -l"]}', "EXEC"),
        ('{"event":["exec"]}', ""),
        ('{"event":["health_status"]}', "HEALTH"),
        ('{"event":["health_status: healthy"]}', "HEALTH"),
        ('{"event":["health_status", "sta"]}', "WEB HEALTH"),  # one of the open-ended ones opens all
        ('{"container":["web-1"]}', "WEB"),
        ('{"container":["web"]}', "WEB NET"),
        ('{"container":["4f1c"]}', "WEB"),
        ('{"container":["f1c"]}', ""),
        ('{"container":["web"],"type":["container"]}', "WEB"),
        ('{"container":["web"],"network":["ab12"]}', "NET"),
        ('{"network":["webnet"]}', "NET"),
        ('{"volume":["data"]}', "VOLUME"),
        ('{"scope":["global"]}', "VOLUME"),
        ('{"scope":["swarm"]}', ""),
        ('{"label":["tier=front"]}', "WEB"),
        ('{"label":["tier"]}', "WEB"),
        ('{"label":["tier=back"]}', ""),
        ('{"label":["tier","driver=local"]}', ""),
        ('{"label":["driver=local"]}', "VOLUME"),
        ('{"image":["alpine"]}', "EXEC PULL"),
        ('{"image":["alpine:latest"]}', "PULL"),
        ('{"image":["alp"]}', ""),
        ('{"image":["team/app"]}', "TAG"),
        ('{"image":["team/app:2"]}', "TAG"),
        ('{"image":["registry.example.org/team/app"]}', "WEB"),
        ('{"image":["registry.example.org/team/app:1.2"]}', "WEB"),
        ('{"daemon":["x"]}', ""),
        ('{"plugin":["x"]}', ""),
        ('{"node":["x"]}', ""),
        ('{"service":["x"]}', ""),
        ('{"secret":["x"]}', ""),
        ('{"config":["x"]}', ""),
        ('{"nonsense":["x"]}', "WEB EXEC HEALTH NET PULL TAG VOLUME"),
    ],
)
def test_filters(filters: str, passing: str) -> None:
    matches = event_matcher(parse_filters(filters))
    assert [name for name, event in ALL.items() if matches(event)] == passing.split()
