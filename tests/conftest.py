"""Of all tests."""

from tests.rig import forks

forks.use()
