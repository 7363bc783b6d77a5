"""libnftables inside a network namespace of the test's own."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from wharfd.sys import netns
from wharfd.sys.blocking import STACK_BYTES, call_in_fresh_thread
from wharfd.sys.nftables import Nft, NftError, TableWatch

pytestmark = pytest.mark.root

RULES = """
table ip wharf-test {
    chain post { type nat hook postrouting priority srcnat; ip saddr 10.9.0.0/16 masquerade; }
    set ports { type inet_service; elements = { 80, 443 } }
}
"""


@pytest.fixture
def namespace(tmp_path: Path) -> Iterator[str]:
    path = str(tmp_path / "netns")
    netns.create(path)
    try:
        yield path
    finally:
        netns.delete(path)


@pytest.fixture
def nft(namespace: str) -> Iterator[Nft]:
    with Nft.in_netns(namespace) as context:
        yield context


def kinds(nft: Nft) -> list[str]:
    """Sorted: versions order them differently."""
    return sorted(next(iter(each)) for each in nft.list_json())


def test_rules_are_set_listed_and_taken_away(nft: Nft, namespace: str) -> None:
    assert nft.list_json() == []
    nft.run(RULES)
    assert kinds(nft) == ["chain", "rule", "set", "table"]
    with Nft() as outside:  # the context belongs to its namespace, whichever thread uses it
        assert not [t for t in outside.list_json("list tables") if t["table"]["name"] == "wharf-test"]
    with Nft.in_netns(namespace) as second:
        assert kinds(second) == ["chain", "rule", "set", "table"]
    nft.run("delete table ip wharf-test")
    assert nft.list_json() == []


def test_errors_have_nfts_words_and_change_nothing(nft: Nft) -> None:
    with pytest.raises(NftError, match="syntax error") as syntax:
        nft.run("add nonsense")
    assert syntax.value.commands == "add nonsense"
    with pytest.raises(NftError) as missing:
        nft.run(RULES + "delete table ip absent")
    assert missing.value.is_missing
    assert not missing.value.is_existing
    assert nft.list_json() == []
    nft.run(RULES)
    with pytest.raises(NftError) as existing:
        nft.run("create table ip wharf-test")
    assert existing.value.is_existing
    # an earlier error leaves nothing in the buffers
    nft.run("add table ip other")


def test_many_rules_fit_on_a_pools_stack(nft: Nft) -> None:
    assert STACK_BYTES < 8 << 20
    rules = "".join(f"add rule ip t c tcp dport {port} accept\n" for port in range(1, 3001))
    call_in_fresh_thread(nft.run, "add table ip t\nadd chain ip t c\n" + rules)
    assert len(nft.list_json("list chain ip t c")) == 3001


def test_threads_take_turns(nft: Nft) -> None:
    nft.run("add table ip t")
    failures: list[BaseException] = []

    def work(number: int) -> None:
        try:
            for _ in range(20):
                nft.run(f"add chain ip t c{number}\ndelete chain ip t c{number}")
        except BaseException as e:
            failures.append(e)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


def test_closed_context_refuses(nft: Nft) -> None:
    nft.close()
    nft.close()
    with pytest.raises(ValueError, match="closed"):
        nft.run("list ruleset")


def test_the_watch_tells_of_tables_that_change(namespace: str) -> None:
    watch = netns.run_in(namespace, TableWatch)
    try:
        with Nft.in_netns(namespace) as nft:
            nft.run("add table inet one\nadd table ip two")
            assert watch.changed() == {"one", "two"}
            nft.run("delete table ip two")
            assert watch.changed() == {"two"}
            nft.run("flush ruleset")
            assert watch.changed() == {"one"}
            nft.run(RULES)
            assert watch.changed() == {"wharf-test"}
            nft.run("delete element ip wharf-test ports { 80 }\nadd rule ip wharf-test post accept")
            assert watch.changed() == set()
            nft.run("flush table ip wharf-test")
            assert watch.changed() == {"wharf-test"}
    finally:
        watch.close()


def test_a_listing_without_elements(nft: Nft) -> None:
    nft.run(RULES)
    shown = nft.list_json("list table ip wharf-test", elements=False)
    assert [each["set"].get("elem") for each in shown if "set" in each] == [None]
    assert len(shown) == len(nft.list_json("list table ip wharf-test"))
