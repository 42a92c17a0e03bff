from __future__ import annotations

import pytest

from intelligence.detect.content import content
from intelligence.detect.engine import Text

CODE = "def add(self, x):\n    return [x for x in self.list if x is not None]\nclass A:\n    import os\n"
MEDICAL = "The patient has chronic pain; the doctor prescribed a daily dose of medication after the diagnosis of diabetes."


@pytest.mark.parametrize(("text", "matter"), [(CODE, "code"), (MEDICAL, "medical")], ids=["code", "medical"])
@pytest.mark.parametrize("times", [1, 2000])
def test_matters(text: str, matter: str, times: int) -> None:
    (found,) = content(Text(text * times))
    assert (found.type, found.start, found.end) == (matter, 0, len(text) * times)


def test_small_talk_is_about_nothing() -> None:
    assert (
        content(Text("Good morning! The weather is lovely and we will walk to the lake before lunch today."))
        == []
    )
