"""Lets our networks through the firewalls that others have set up on the host.

Linux: a packet that one base chain accepts is still shown to all others of the hook, and one that drops it is enough.  Where a host's
own firewall forwards nothing (ufw, firewalld, dockerd's FORWARD policy), containers reach nobody.  What may pass is decided by our own
table; the others are told to leave it to that, by two rules that name the group of our bridges and not each bridge, so that their
number does not grow with the networks.

    iptables (ufw, dockerd, …)   FORWARD jumps to WHARF-FORWARD, which asks DOCKER-USER first where there is one
    firewalld                    two rules in its chain filter_FORWARD
    anything else that drops     is left alone, and named in the log: those rules are somebody's own

Nothing is made where there is no such firewall.
"""

import asyncio
import logging
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass

from wharfd.model.json import JsonObject
from wharfd.sys import spawn
from wharfd.sys.blocking import Pool
from wharfd.sys.nftables import Nft, NftError

log = logging.getLogger(__name__)

BRIDGE_GROUP = 2375
"""The link group of all our bridges (`ip link show group 2375`)."""

CHAIN = "WHARF-FORWARD"
USER_CHAIN = "DOCKER-USER"
FORWARD = "FORWARD"
TIMEOUT_S = 10.0
LOCK_S = 5  # how long iptables waits for others

PREFIXES = {"ip": "iptables", "ip6": "ip6tables"}
LEGACY_TABLES = {"ip": "/proc/thread-self/net/ip_tables_names", "ip6": "/proc/thread-self/net/ip6_tables_names"}

TABLES = ("filter", "firewalld")
"""Whose changes are to be looked at."""


@dataclass(frozen=True, slots=True)
class Chain:
    """`hook` and `policy` empty: no base chain."""

    family: str
    table: str
    name: str
    hook: str = ""
    policy: str = ""


class Openings:
    """Bound to the network namespace in which it was made."""

    def __init__(self, pool: Pool) -> None:
        self.pool = pool
        self.nft: Nft | None = None
        self.told: set[str] = set()
        self.busy = asyncio.Lock()

    async def make(self) -> bool:
        """What is missing.  Says whether something was.  Never fails: what cannot be opened is logged."""
        async with self.busy:
            try:
                chains = await self.pool.run(self.chains)
            except (NftError, OSError) as error:
                self.tell(f"the host's firewall cannot be looked at: error={error}")
                return False
            changed = False
            for family in PREFIXES:
                changed = await self.open_iptables(family, chains) or changed
            if has(chains, "inet", "firewalld", "filter_FORWARD"):
                changed = await self.pool.run(self.open_native, "inet", "firewalld", "filter_FORWARD") or changed
            for chain in chains:
                if chain.hook == "forward" and chain.policy == "drop" and chain.table not in TABLES:
                    self.tell(
                        f"nft chain {chain.family} {chain.table} {chain.name} drops what is forwarded, also of containers: "
                        f"it needs the rules `iifgroup {BRIDGE_GROUP} accept` and `oifgroup {BRIDGE_GROUP} accept`"
                    )
            return changed

    def close(self) -> None:
        if self.nft is not None:
            self.nft.close()
            self.nft = None

    def context(self) -> Nft:
        self.nft = self.nft or Nft()
        return self.nft

    def chains(self) -> list[Chain]:
        found = self.context().list_json("list chains")
        return [chain_of(each["chain"]) for each in found if isinstance(each.get("chain"), dict)]

    def tell(self, words: str) -> None:
        """Once."""
        if words not in self.told:
            self.told.add(words)
            log.warning("%s", words)

    # iptables

    async def open_iptables(self, family: str, chains: Sequence[Chain]) -> bool:
        changed = False
        if has(chains, family, "filter", FORWARD):
            tool = find_tool(family, "nft")
            if tool:
                changed = await self.open_by(tool)
            else:
                changed = await self.pool.run(self.open_native, family, "filter", FORWARD)
        if "filter" in await self.pool.run(legacy_tables, family):
            tool = find_tool(family, "legacy")
            if tool:
                changed = await self.open_by(tool) or changed
        return changed

    async def open_by(self, tool: str) -> bool:
        try:
            saved = await spawn.run([f"{tool}-save", "-t", "filter"], timeout_s=TIMEOUT_S)
            script = opening(saved.stdout.decode(errors="replace"))
            if not script:
                return False
            done = await spawn.run(
                [f"{tool}-restore", "-w", str(LOCK_S), "--noflush"], stdin=script.encode(), timeout_s=TIMEOUT_S
            )
        except (OSError, TimeoutError) as error:
            self.tell(f"{tool}: containers may not be let through: error={error}")
            return False
        if done.returncode:
            self.tell(f"{tool}: containers are not let through: {done.stderr.decode(errors='replace').strip()}")
        return not done.returncode

    # nft

    def open_native(self, family: str, table: str, chain: str) -> bool:
        try:
            rules = self.context().list_json(f"list chain {family} {table} {chain}")
            if any(names_group(each["rule"]) for each in rules if isinstance(each.get("rule"), dict)):
                return False
            self.context().run(
                "\n".join(
                    f"insert rule {family} {table} {chain} {word} {BRIDGE_GROUP} counter accept"
                    for word in ("oifgroup", "iifgroup")
                )
            )
        except (NftError, OSError) as error:
            self.tell(f"nft chain {family} {table} {chain}: containers are not let through: error={error}")
            return False
        return True


def chain_of(doc: JsonObject) -> Chain:
    return Chain(*(str(doc.get(key) or "") for key in ("family", "table", "name", "hook", "policy")))


def has(chains: Sequence[Chain], family: str, table: str, name: str) -> bool:
    return any((each.family, each.table, each.name) == (family, table, name) for each in chains)


def names_group(rule: JsonObject) -> bool:
    expressions = rule.get("expr")
    return isinstance(expressions, list) and any(
        isinstance(each, dict)
        and isinstance(match := each.get("match"), dict)
        and match.get("left") == {"meta": {"key": "iifgroup"}}
        and match.get("right") == BRIDGE_GROUP
        for each in expressions
    )


def find_tool(family: str, variant: str) -> str:
    """`iptables-nft` and its like, without `-save`; where the variants have no names of their own, `iptables`.  Empty: not installed."""
    for name in (f"{PREFIXES[family]}-{variant}", PREFIXES[family]):
        path = shutil.which(f"{name}-restore", path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
        if path is not None:
            return path.removesuffix("-restore")
    return ""


def legacy_tables(family: str) -> list[str]:
    """Those that the older, not nftables-based iptables has in the caller's network namespace."""
    try:
        with open(LEGACY_TABLES[family]) as file:
            return file.read().split()
    except OSError:
        return []


def opening(saved: str) -> str:
    """The input for `iptables-restore --noflush` that makes what is missing; empty if nothing is.

    `saved` is what `iptables-save -t filter` says.
    """
    lines = [line.strip() for line in saved.splitlines()]
    chains = {line[1:].split()[0] for line in lines if line.startswith(":")}
    wanted = rules_of_chain(USER_CHAIN in chains)
    has_rules = [line for line in lines if line.startswith(f"-A {CHAIN} ")] == wanted
    has_jump = f"-A {FORWARD} -j {CHAIN}" in lines
    if has_rules and has_jump:
        return ""
    script = ["*filter"]
    if not has_rules:
        script += [f":{CHAIN} - [0:0]", *wanted]
    if not has_jump:
        script.append(f"-I {FORWARD} 1 -j {CHAIN}")
    return "\n".join([*script, "COMMIT", ""])


def rules_of_chain(has_user_chain: bool) -> list[str]:
    """In the words of `iptables-save`."""
    rules = [f"-A {CHAIN} -j {USER_CHAIN}"] if has_user_chain else []
    return [
        *rules,
        f"-A {CHAIN} -m devgroup --src-group {hex(BRIDGE_GROUP)} -j ACCEPT",
        f"-A {CHAIN} -m devgroup --dst-group {hex(BRIDGE_GROUP)} -j ACCEPT",
    ]
