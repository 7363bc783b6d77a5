"""Events as documents, just below and at the version that changed them."""

import pytest

from wharfd.api.codec.events import encode_event
from wharfd.api.versions.changes import downgrade
from wharfd.api.versions.version import Version
from wharfd.model.json import JsonObject
from wharfd.testing.builders import an_event

CONTAINER = an_event(
    type="container", action="die", actor_id="c1", attributes={"image": "app", "exitCode": "1"}, at_ns=1_500_000_001
)
IMAGE = an_event(type="image", action="pull", actor_id="app:1", attributes={"name": "app"}, at_ns=1_500_000_001)
NETWORK = an_event(type="network", action="connect", actor_id="n1", attributes={"container": "c1"}, at_ns=1_500_000_001)


def test_newest() -> None:
    assert encode_event(CONTAINER) == {
        "Type": "container",
        "Action": "die",
        "Actor": {"ID": "c1", "Attributes": {"image": "app", "exitCode": "1"}},
        "scope": "local",
        "time": 1,
        "timeNano": 1_500_000_001,
    }


@pytest.mark.parametrize(
    ("event", "added"),
    [
        (CONTAINER, {"status": "die", "id": "c1", "from": "app"}),
        (IMAGE, {"status": "pull", "id": "app:1"}),
        (NETWORK, {}),
    ],
)
def test_the_copies_below_1_52(event: object, added: JsonObject) -> None:
    newest = encode_event(event)  # type: ignore[arg-type]
    assert downgrade("event", Version(1, 52), dict(newest)) == newest
    assert downgrade("event", Version(1, 51), dict(newest)) == {**newest, **added}
