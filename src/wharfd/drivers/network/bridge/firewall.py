"""The engine's one nftables table: what leaves a bridge for elsewhere takes the host's address.

The table is replaced as a whole in one transaction, so that there is never a moment without it or with half of it.
"""

import logging
from collections.abc import Sequence

from wharfd.model.errors import Unavailable
from wharfd.model.network import NetworkRecord
from wharfd.sys.nftables import Nft, NftError

log = logging.getLogger(__name__)


def ruleset(table: str, networks: Sequence[tuple[NetworkRecord, str]]) -> str:
    """The text for `nft`: networks with the names of their bridges.  A pure function, so that tests can read it."""
    masquerade, isolate = [], []
    for network, bridge in networks:
        for pool in network.pools:
            family = "ip6" if ":" in pool.subnet else "ip"
            if network.options.get("com.docker.network.bridge.enable_ip_masquerade", "true") == "true":
                masquerade.append(f'        {family} saddr {pool.subnet} oifname != "{bridge}" masquerade')
        if network.options.get("com.docker.network.bridge.enable_icc", "true") != "true":
            isolate.append(f'        iifname "{bridge}" oifname "{bridge}" drop')
    return "\n".join(
        [
            f"table inet {table} {{}}",  # so that the deletion never fails
            f"delete table inet {table}",
            f"table inet {table} {{",
            "    chain postrouting {",
            "        type nat hook postrouting priority srcnat; policy accept;",
            *masquerade,
            "    }",
            "    chain forward {",
            "        type filter hook forward priority filter; policy accept;",
            *isolate,
            "    }",
            "}",
        ]
    )


class Firewall:
    """One table in the network namespace in which it was opened; used by one thread at a time."""

    def __init__(self, table: str) -> None:
        self.table = table
        self.nft: Nft | None = None

    def apply(self, networks: Sequence[tuple[NetworkRecord, str]]) -> None:
        """Blocks.  Raises Unavailable in words."""
        try:
            self.nft = self.nft or Nft()
            self.nft.run(ruleset(self.table, networks))
        except (NftError, OSError) as e:
            raise Unavailable(f"cannot set up masquerading with nftables: {e}") from e

    def remove(self) -> None:
        if self.nft is None:
            return
        try:
            self.nft.run(f"table inet {self.table} {{}}\ndelete table inet {self.table}")
        except NftError as e:
            log.warning("table=%s not removed: error=%s", self.table, e)
