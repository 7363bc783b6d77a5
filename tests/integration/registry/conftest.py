"""The HTTP driver before real registries on loopback, with what stands between them."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
import uvloop

from tests.registries.certificates import Authority
from tests.registries.daemon import RealRegistry, real_registry
from wharfd.drivers.registry.driver import HttpRegistry
from wharfd.model.settings import Settings
from wharfd.sys.blocking import Pool
from wharfd.wire.registryhosts import InsecureRegistries

HERE = Path(__file__).parent
Make = Callable[..., HttpRegistry]


def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """The loop that is used in production; the contract suite runs on the standard one."""
    return {"uvloop": uvloop.new_event_loop}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    missing = [program for program in ("docker-registry", "openssl") if shutil.which(program) is None]
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.skipif(bool(missing), reason=f"not installed: {', '.join(missing)}"))


@pytest.fixture
async def make(tmp_path: Path) -> AsyncIterator[Make]:
    """Drivers with settings of the test's; certificate directories are below `tmp_path/certs.d`.

    `trusting` false: also registries on loopback must show what others must.
    """
    async with AsyncExitStack() as stack:
        pool = Pool("registry", 2)
        stack.callback(pool.close)

        def made(*, trusting: bool = True, silence_s: float = 10.0, **settings: Any) -> HttpRegistry:
            driver = HttpRegistry(
                Settings(registry_config_dirs=[str(tmp_path / "certs.d")], **settings),
                pool,
                first_wait_s=0.01,
                silence_s=silence_s,
            )
            if not trusting:
                driver.endpoints.insecure = InsecureRegistries(driver.endpoints.insecure.hosts, ())
            stack.push_async_callback(driver.close)
            return driver

        yield made


@pytest.fixture
async def plain(tmp_path: Path) -> AsyncIterator[RealRegistry]:
    """A registry without TLS that lets everybody in."""
    async with real_registry(tmp_path / "plain") as registry:
        yield registry


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "ca")


@pytest.fixture
def certs(tmp_path: Path) -> Callable[[str], Path]:
    """The directory of a host's certificates and hosts.toml, made on demand."""

    def directory(host: str) -> Path:
        path = tmp_path / "certs.d" / host
        path.mkdir(parents=True, exist_ok=True)
        return path

    return directory
