from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.integration.images.rig import ApiRig
from wharfd.testing.records import FakeRecords


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[ApiRig]:
    rig = await ApiRig(tmp_path, FakeRecords()).open()
    yield rig
    await rig.close()
