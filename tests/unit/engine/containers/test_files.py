"""What a container reads in /etc/hosts, /etc/hostname and /etc/resolv.conf."""

import pytest

from wharfd.engine.containers.files import NameFiles, split_extra_host
from wharfd.engine.events import EventBus
from wharfd.engine.ledger import Ledger
from wharfd.model.config import EndpointSettings
from wharfd.model.container import ContainerRecord, State
from wharfd.model.errors import InvalidParameter
from wharfd.testing.builders import a_config, a_container, a_host_config, a_network
from wharfd.testing.files import FakeFiles
from wharfd.testing.host import FakeHost
from wharfd.testing.records import FakeRecords

STANDARD = (
    "127.0.0.1\tlocalhost\n"
    "::1\tlocalhost ip6-localhost ip6-loopback\n"
    "fe00::\tip6-localnet\n"
    "ff00::\tip6-mcastprefix\n"
    "ff02::1\tip6-allnodes\n"
    "ff02::2\tip6-allrouters\n"
)


class Writer:
    def __init__(self, **defaults: list[str]) -> None:
        self.files = FakeFiles()
        self.host = FakeHost()
        self.ledger = Ledger(FakeRecords(), EventBus())
        self.names = NameFiles(ledger=self.ledger, files=self.files, host=self.host, **defaults)

    def write(self, record: ContainerRecord, **networks: EndpointSettings) -> dict[str, str]:
        self.names.write(record, networks)
        return {name: content.decode() for name, content in self.files.content[record.id].items()}


def test_on_the_bridge() -> None:
    record = a_container(config=a_config(hostname="web", domainname="example.org"))
    written = Writer().write(
        record, bridge=EndpointSettings(ip_address="172.17.0.2", global_ipv6_address="2001:db8::2")
    )
    assert written == {
        "hostname": "web\n",
        "hosts": STANDARD + "172.17.0.2\tweb.example.org web\n2001:db8::2\tweb.example.org web\n",
        "resolv.conf": "nameserver 192.0.2.53\nsearch example.org\n",
    }


def test_extra_hosts_stand_before_its_own_addresses() -> None:
    writer = Writer()
    writer.ledger.networks.put(a_network(name="bridge"))
    record = a_container(host_config=a_host_config(extra_hosts=["db:10.0.0.1", "up:host-gateway", "six=[2001:db8::1]"]))
    written = writer.write(record, bridge=EndpointSettings(ip_address="172.17.0.2"))
    assert written["hosts"] == STANDARD + "10.0.0.1\tdb\n172.30.0.1\tup\n2001:db8::1\tsix\n172.17.0.2\tbox\n"


def test_host_gateway_without_a_bridge_is_refused() -> None:
    record = a_container(host_config=a_host_config(extra_hosts=["up:host-gateway"]))
    with pytest.raises(InvalidParameter, match="unable to derive the IP value for host-gateway"):
        Writer().write(record)


def test_on_the_host_network_the_hosts_own_files_are_the_base() -> None:
    writer = Writer()
    writer.host.files["/etc/resolv.conf"] = "nameserver 127.0.0.53\n"
    record = a_container(host_config=a_host_config(network_mode="host", extra_hosts=["db:10.0.0.1"]))
    written = writer.write(record, host=EndpointSettings())
    assert written["hosts"] == "127.0.0.1\tlocalhost\n10.0.0.1\tdb\n"
    assert written["resolv.conf"] == "nameserver 127.0.0.53\n"


def test_a_stub_resolver_is_looked_through() -> None:
    writer = Writer()
    writer.host.files["/etc/resolv.conf"] = "nameserver 127.0.0.53\n"
    writer.host.files["/run/systemd/resolve/resolv.conf"] = "nameserver 192.0.2.99\n"
    assert writer.write(a_container())["resolv.conf"] == "nameserver 192.0.2.99\n"


def test_a_host_without_resolvers() -> None:
    writer = Writer()
    del writer.host.files["/etc/resolv.conf"]
    assert writer.write(a_container())["resolv.conf"] == "nameserver 8.8.8.8\nnameserver 8.8.4.4\n"


def test_what_the_container_says_wins_over_the_engine_and_that_over_the_host() -> None:
    writer = Writer(dns=["192.0.2.1"], dns_search=["engine.example"], dns_options=["rotate"])
    assert writer.write(a_container())["resolv.conf"] == "nameserver 192.0.2.1\nsearch engine.example\noptions rotate\n"
    own = a_host_config(dns=["192.0.2.2"], dns_search=["."], dns_options=["ndots:3"])
    assert writer.write(a_container(host_config=own))["resolv.conf"] == "nameserver 192.0.2.2\noptions ndots:3\n"


def test_a_container_in_anothers_network_shares_its_files() -> None:
    writer = Writer()
    other = a_container(state=State.RUNNING)
    writer.ledger.containers.put(other)
    record = a_container(host_config=a_host_config(network_mode=f"container:{other.id}"))
    assert writer.names.write(record, {}) == writer.names.paths(other.id)
    assert writer.files.content == {record.id: {}}


@pytest.mark.parametrize("entry", ["", "name", "name:", ":10.0.0.1", "=10.0.0.1"])
def test_extra_hosts_that_are_refused(entry: str) -> None:
    with pytest.raises(InvalidParameter, match=f'bad format for add-host: "{entry}"'):
        split_extra_host(entry)


@pytest.mark.parametrize(
    ("entry", "parts"),
    [
        ("a:10.0.0.1", ("a", "10.0.0.1")),
        ("a=10.0.0.1", ("a", "10.0.0.1")),
        ("a:2001:db8::1", ("a", "2001:db8::1")),
        ("a=2001:db8::1", ("a", "2001:db8::1")),
        ("a:[2001:db8::1]", ("a", "2001:db8::1")),
    ],
)
def test_extra_hosts(entry: str, parts: tuple[str, str]) -> None:
    assert split_extra_host(entry) == parts
