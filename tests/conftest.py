"""Options for all tests."""

import pytest
from hypothesis import HealthCheck, settings

# The same examples on every machine and in every run; `./wharf fuzz` is for new ones.  Slow machines are no failures.
SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large]
settings.register_profile("wharf", deadline=None, derandomize=True, suppress_health_check=SLOW)
settings.load_profile("wharf")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="rewrite the stored documents of tests/golden")


@pytest.fixture
def update_golden(request: pytest.FixtureRequest) -> bool:
    return bool(request.config.getoption("--update-golden"))
