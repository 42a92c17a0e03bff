"""What axe-core finds wrong with a page. It comes from npm, one version, into a cache folder that is kept from run to run:
nothing of it is in the repository."""

from __future__ import annotations

import base64
import hashlib
import io
import subprocess
import tarfile
import tempfile
from functools import cache
from pathlib import Path

import platformdirs
import pytest
from playwright.async_api import Page

from tests.datasette_plugins.browser import SIZES, overflow

VERSION = "4.10.3"
SHA512 = "Xm7bpRXnDSX2YE2YFfBk2FnF0ep6tmG7xPh8iHee8MIcrgq762Nkce856dYtJYLkuIoYZvGfTs/PbZhideTcEg=="


@cache
def source() -> str:
    """The script to run in a page. Skips the test where npm or its registry cannot be reached."""
    kept = platformdirs.user_cache_path("llmitm-tests") / f"axe-core-{VERSION}.tgz"
    if not kept.is_file():
        _fetch(kept)
    data = kept.read_bytes()
    assert base64.b64encode(hashlib.sha512(data).digest()).decode() == SHA512, (
        f"{kept} is not axe-core {VERSION}"
    )
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        script = archive.extractfile("package/axe.min.js")
        assert script is not None
        return script.read().decode()


async def serious(page: Page, *rules: str) -> list[tuple[str, str, str]]:
    """Serious and critical violations, of these rules alone if some are named. The page must have been opened without its content
    security policy."""
    if not await page.evaluate("'axe' in window"):
        await page.evaluate(source())
    asked = {"resultTypes": ["violations"], **({"runOnly": list(rules)} if rules else {})}
    found = await page.evaluate("(asked) => axe.run(document, asked).then(r => r.violations)", asked)
    return [
        (v["id"], v["nodes"][0]["html"][:200], v["nodes"][0].get("failureSummary", "")[:300])
        for v in found
        if v["impact"] in ("serious", "critical")
    ]


async def sound_in_every_look(page: Page) -> None:
    """In each size and colour scheme, all that can be opened open: nothing wider than the window, nothing seriously wrong. What
    does not depend on size and colours is looked at once, for that takes seconds on a long page."""
    await page.evaluate("document.querySelectorAll('details').forEach(d => { d.open = true })")
    rules: tuple[str, ...] = ()
    for width, height in SIZES.values():
        await page.set_viewport_size({"width": width, "height": height})
        for scheme, ground in (("light", "rgb(250, 250, 248)"), ("dark", "rgb(21, 23, 26)")):
            await page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
            look = (page.url, width, scheme)
            assert await overflow(page) <= 0, look
            assert await page.evaluate("getComputedStyle(document.body).backgroundColor") == ground, look
            assert await serious(page, *rules) == [], look
            rules = ("color-contrast", "scrollable-region-focusable")


def _fetch(kept: Path) -> None:
    kept.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=kept.parent) as folder:
        command = ["npm", "pack", "--silent", f"axe-core@{VERSION}"]
        try:
            subprocess.run(command, cwd=folder, capture_output=True, timeout=60, check=True)
        except (OSError, subprocess.SubprocessError) as e:
            pytest.skip(f"axe-core cannot be had from npm: {e}")
        (Path(folder) / kept.name).replace(kept)
