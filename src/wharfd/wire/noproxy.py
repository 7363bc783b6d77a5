"""Settings of proxies.  `NO_PROXY` names the hosts that are reached without a proxy.

    *                     all
    example.com           it and everything below it        .example.com, *.example.com   only what is below it
    10.0.0.1, 10.0.0.0/8, fd00::/8     addresses            host:8080, 10.0.0.1:8080       that port only

Loopback addresses and `localhost` never take a proxy.  Source: Go's `net/http` (`golang.org/x/net/http/httpproxy`).
"""

from ipaddress import ip_network

from wharfd.wire.registryhosts import Address, Network, literal_address, split_host


class NoProxy:
    """The parsed list; entries that cannot be read match nothing."""

    def __init__(self, text: str = "") -> None:
        self._all = False
        self._networks: list[Network] = []
        self._addresses: list[tuple[Address, int | None]] = []
        self._names: list[tuple[str, int | None]] = []  # with a dot before it: what is below only
        for word in text.lower().split(","):
            self._add(word.strip())

    def _add(self, word: str) -> None:
        if not word:
            return
        if word == "*":
            self._all = True
            return
        if "/" in word:
            try:
                self._networks.append(ip_network(word, strict=False))
            except ValueError:
                pass
            return
        name, port = split_host(word)
        address = literal_address(word)
        if address is not None:
            self._addresses.append((address, port))
        elif name:
            self._names.append((name.removeprefix("*"), port))

    def covers(self, host: str, port: int) -> bool:
        """Is this host (a name or an address, no brackets) reached directly?"""
        name = host.lower().rstrip(".")
        address = literal_address(host)
        if self._all or name == "localhost" or (address is not None and address.is_loopback):
            return True
        if address is not None:
            known = any(address == one and wanted in (None, port) for one, wanted in self._addresses)
            return known or any(address in network for network in self._networks)
        return any(wanted in (None, port) and _below(name, one) for one, wanted in self._names)


def _below(name: str, domain: str) -> bool:
    return name.endswith(domain) if domain.startswith(".") else name == domain or name.endswith(f".{domain}")
