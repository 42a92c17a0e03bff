"""The one way in which this package fails for a reason that a user can mend."""

from __future__ import annotations


class CertsError(Exception):
    """A CA that cannot be read, made or installed. The message is for the user: what is wrong, where, what to do."""
