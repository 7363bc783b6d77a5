"""A few hundred spoilt archives through `load`, always the same ones; `./wharf fuzz load` makes new ones."""

import random

import pytest

from fuzz.__main__ import mutate
from fuzz.load import SEEDS, fuzz_one

pytestmark = pytest.mark.root


def test_spoilt_archives_are_refused_or_taken_and_leave_nothing() -> None:
    chance = random.Random(4)
    for data in (*SEEDS, *(mutate(chance, SEEDS) for _ in range(150))):
        try:
            fuzz_one(data)
        except Exception as error:
            raise AssertionError(f"broken by {data!r}") from error
