"""Which proxy leads to a URL."""

from urllib.parse import urlsplit

from wharfd.model.errors import RegistryFailure
from wharfd.wire.noproxy import NoProxy
from wharfd.wire.registryhosts import PORTS


class Proxies:
    def __init__(self, http: str = "", https: str = "", no_proxy: str = "") -> None:
        self.by_scheme = {"http": http, "https": https}
        self.direct = NoProxy(no_proxy)

    def towards(self, url: str) -> str:
        """The proxy's URL, perhaps with a user's name and password; empty for none.  Raises RegistryFailure for one of a kind unknown."""
        parts = urlsplit(url)
        proxy = self.by_scheme.get(parts.scheme, "")
        if not proxy or self.direct.covers(parts.hostname or "", parts.port or PORTS[parts.scheme]):
            return ""
        whole = proxy if "://" in proxy else f"http://{proxy}"
        if urlsplit(whole).scheme not in ("http", "https"):
            raise RegistryFailure(f"proxies of the kind {urlsplit(whole).scheme} are not supported")
        return whole
