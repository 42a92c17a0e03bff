from __future__ import annotations

import json

from datasette_plugins import conversation
from datasette_plugins.conversation import BUDGET, FOLD_OVER, LONGEST, OPEN_MESSAGES, Reader
from intelligence.wire.request import Message, Part, Request, Tool


def text(content: str) -> Part:
    return Part("text", content)


def messages(count: int, size: int = 10) -> Request:
    return Request(
        messages=[Message("user", [text(f"{n} " + "x" * size)]) for n in range(count)], understood=True
    )


def test_a_request_in_its_parts() -> None:
    said = conversation.of_request(
        Request(
            system=[text("Be brief.")],
            tools=[Tool("Bash", "Runs a command.", {"type": "object"})],
            messages=[Message("user", [text("Hi")])],
            understood=True,
        ),
        Reader(),
    )
    assert [b.text for b in said.system] == ["Be brief."]
    assert said.tools[0].text == 'Runs a command.\n\n{\n  "type": "object"\n}'
    assert [(t.role, [b.text for b in t.blocks]) for t in said.turns] == [("user", ["Hi"])]
    assert (said.earlier, said.left_out) == ([], 0)


def test_earlier_messages_start_folded() -> None:
    said = conversation.of_request(messages(20), Reader())
    assert len(said.turns) == OPEN_MESSAGES
    assert said.turns[-1].blocks[0].text.startswith("19 ")
    assert len(said.earlier) == 20 - OPEN_MESSAGES
    assert said.earlier[0].blocks[0].text.startswith("0 ")


def test_the_page_stays_within_its_budget_and_keeps_the_latest() -> None:
    said = conversation.of_request(messages(100, 50_000), Reader())
    shown = said.earlier + said.turns
    assert sum(len(b.text) for t in shown for b in t.blocks) <= BUDGET + LONGEST
    assert shown[-1].blocks[0].text.startswith("99 ")
    assert said.left_out == 100 - len(shown) > 0


def test_a_long_text_is_folded_and_a_very_long_one_cut() -> None:
    assert not conversation.block("text", "", "x" * FOLD_OVER).preview
    folded = conversation.block("text", "", "x" * (FOLD_OVER + 1))
    assert folded.preview and not folded.missing
    cut = conversation.block("text", "", "x" * (LONGEST + 5))
    assert (len(cut.text), cut.missing) == (LONGEST, 5)


def test_reasoning_starts_folded() -> None:
    assert conversation.of_part(Part("thinking", "Hm."), Reader()).folded


def test_a_tool_call_is_indented() -> None:
    part = conversation.of_part(Part("tool_call", '{"a":1}', name="Bash"), Reader())
    assert (part.kind, part.name, part.text) == ("tool_call", "Bash", '{\n  "a": 1\n}')


def test_an_image_is_told_not_shown() -> None:
    shown = conversation.of_part(Part("image", data={"type": "base64", "data": "A" * 100_000}), Reader())
    assert len(shown.text) < 1000


def test_what_an_answer_holds() -> None:
    turn = conversation.of_answer(
        "Done.", "Hm.", [("Bash", '{"command":"ls"}')], [("web_search", "not json")], Reader()
    )
    assert [(b.kind, b.name) for b in turn.blocks] == [
        ("thinking", ""),
        ("text", ""),
        ("server_tool_call", "web_search"),
        ("tool_call", "Bash"),
    ]
    assert conversation.of_answer(None, None, [], [], Reader()).blocks == []


def test_json_that_is_none_stays_text() -> None:
    deep = "[" * 50_000
    assert conversation.pretty(deep) == deep
    assert conversation.pretty("{not json") == "{not json"
    assert json.loads(conversation.pretty('[1, "\\u00e4"]')) == [1, "ä"]


def test_parameters_are_short() -> None:
    shown = dict(
        conversation.parameters(
            Request(parameters={"temperature": 1, "stop": ["a"], "user": "u", "big": "x" * 9})
        )
    )
    assert shown == {"temperature": "1", "stop": '["a"]', "user": "u", "big": "x" * 9}
