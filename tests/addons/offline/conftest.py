"""One offline provider for the folder's tests; each test asks for its own prompt, so they do not disturb each other."""

from __future__ import annotations

import ssl
from collections.abc import Iterator

import httpx
import pytest

from addons.offline.server import OfflineProvider, running


@pytest.fixture(scope="package")
def provider() -> Iterator[OfflineProvider]:
    with running() as provider:
        yield provider


@pytest.fixture(scope="package")
def trust(provider: OfflineProvider) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(provider.ca_file))


@pytest.fixture
def http(provider: OfflineProvider, trust: ssl.SSLContext) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=provider.url, verify=trust, timeout=20) as client:
        yield client
