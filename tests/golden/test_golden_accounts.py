"""Every number of the reference is read by a test."""

from collections import Counter

from tests.golden import (
    test_golden_behaviour,
    test_golden_block,
    test_golden_distributions,
    test_golden_hippo,
    test_golden_s5,
)
from tests.golden.reference import everything

FILES = (
    test_golden_behaviour,
    test_golden_block,
    test_golden_distributions,
    test_golden_hippo,
    test_golden_s5,
)


def test_every_key_has_one_account():
    accounts = Counter(key for file in FILES for key in file.REFERENCE.keys)
    assert set(accounts) == set(everything())
    assert max(accounts.values()) == 1
