"""One tiny trained run of two levels for what needs an agent, compiled once."""

from tests.training.conftest import config as config
from tests.training.conftest import finished as finished
