"""Each runtime's verdict, with programs that behave as a test wants."""

from __future__ import annotations

import pytest

from addons.cli.runtimes import WORD, check_runtimes


@pytest.mark.parametrize(
    ("complaint", "fix"),
    [
        ("curl: (60) SSL certificate problem", "does not take CURL_CA_BUNDLE"),
        ("curl: (7) refused", "troubleshooting"),
    ],
)
def test_a_runtime_that_does_not_trust_us(tmp_path, complaint, fix):
    (tmp_path / "curl").write_text(f"#!/bin/sh\necho '{complaint}' >&2\nexit 1\n")
    (tmp_path / "curl").chmod(0o755)
    (tmp_path / "python3").write_text(f"#!/bin/sh\necho {WORD}\n")
    (tmp_path / "python3").chmod(0o755)
    (tmp_path / "go").write_text("#!/bin/sh\n:\n")
    (tmp_path / "go").chmod(0o755)
    checks = {check.name: check for check in check_runtimes({"PATH": str(tmp_path)})}
    assert checks["curl"].state == "broken" and complaint in checks["curl"].detail
    assert fix in checks["curl"].fix
    assert checks["Python"].state == "ok"
    assert checks["Node"].state == "skipped"
    assert (checks["Go"].state, checks["Go"].detail) == ("broken", f"{tmp_path}/go: exit code 0")
