"""Every implementation of the port: the fake, and the HTTP driver before Debian's docker-registry with TLS and htpasswd."""

import shutil
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.registries.certificates import Authority
from tests.registries.daemon import PASSWORD, USER, real_registry
from wharfd.drivers.registry.driver import HttpRegistry
from wharfd.model.settings import Settings
from wharfd.ports.registry import Registry
from wharfd.sys.blocking import Pool
from wharfd.testing.registry import FakeRegistry
from wharfd.wire.authconfig import AuthConfig
from wharfd.wire.reference import Reference, parse_normalised


@dataclass(frozen=True)
class Rig:
    registry: Registry
    host: str

    @property
    def login(self) -> AuthConfig:
        return AuthConfig(username=USER, password=PASSWORD, serveraddress=self.host)

    def ref(self, name: str) -> Reference:
        return parse_normalised(f"{self.host}/{name}")


NOT_INSTALLED = pytest.mark.skipif(
    shutil.which("docker-registry") is None or shutil.which("openssl") is None,
    reason="not installed: docker-registry or openssl",
)


@pytest.fixture(params=["fake", pytest.param("http", marks=NOT_INSTALLED)])
async def rig(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Rig]:
    if request.param == "fake":
        fake = FakeRegistry()
        fake.accounts["registry.example:5000"] = {USER: PASSWORD}
        yield Rig(fake, "registry.example:5000")
        return
    authority = Authority(tmp_path / "ca")
    async with AsyncExitStack() as stack:
        real = await stack.enter_async_context(
            real_registry(tmp_path / "registry", tls=authority.issue("localhost", "127.0.0.1"), htpasswd=True)
        )
        certs = tmp_path / "certs.d" / real.host
        certs.mkdir(parents=True)
        (certs / "ca.crt").symlink_to(authority.certificate)
        pool = Pool("registry", 2)
        stack.callback(pool.close)
        driver = HttpRegistry(
            Settings(registry_config_dirs=[str(tmp_path / "certs.d")]), pool, first_wait_s=0.01, silence_s=10.0
        )
        stack.push_async_callback(driver.close)
        yield Rig(driver, real.host)
