"""Which proxy leads to a URL: settings first, then the environment, as dockerd does.

# Docker: the environment's names are taken in capitals first, then in small letters.
"""

from collections.abc import Mapping
from urllib.parse import urlsplit

from wharfd.model.errors import RegistryFailure
from wharfd.model.settings import Settings
from wharfd.wire.noproxy import NoProxy
from wharfd.wire.registryhosts import PORTS


class Proxies:
    def __init__(self, http: str = "", https: str = "", no_proxy: str = "") -> None:
        self.by_scheme = {"http": http, "https": https}
        self.direct = NoProxy(no_proxy)

    @classmethod
    def of(cls, settings: Settings, environment: Mapping[str, str]) -> "Proxies":
        def either(setting: str, name: str) -> str:
            return setting or environment.get(name, "") or environment.get(name.lower(), "")

        return cls(
            either(settings.http_proxy, "HTTP_PROXY"),
            either(settings.https_proxy, "HTTPS_PROXY"),
            either(settings.no_proxy, "NO_PROXY"),
        )

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
