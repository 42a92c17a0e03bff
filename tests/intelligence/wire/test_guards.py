"""What nobody may edit, told by the part alone."""

from typing import Any

import pytest
from hypothesis import given

from intelligence.wire.guards import COMPACTED, ENCRYPTED, PROVIDER_RUN, SIGNED, guard
from tests.intelligence.rewrite.bodies import OBJECTS


@pytest.mark.parametrize(
    ("part", "why"),
    [
        ({"type": "thinking", "thinking": "t", "signature": "s"}, SIGNED),
        ({"type": "thinking", "thinking": "t", "signature": ""}, None),
        ({"type": "thinking", "thinking": "t"}, None),
        ({"type": "redacted_thinking", "data": "d"}, SIGNED),
        ({"text": "t", "signature": "s"}, SIGNED),  # Bedrock's reasoningText
        ({"signature": "s"}, None),
        ({"type": "text", "text": "t", "signature": "s"}, None),
        ({"redactedContent": "d"}, ENCRYPTED),
        ({"text": "t", "thoughtSignature": "s"}, SIGNED),
        ({"function_call": {}, "thought_signature": "s"}, SIGNED),
        ({"id": "c", "type": "function", "extra_content": {"google": {"thought_signature": "s"}}}, SIGNED),
        ({"id": "c", "extra_content": {"google": {}}}, None),
        ({"text": "t", "thoughtSignature": None}, None),
        ({"type": "reasoning", "summary": [], "encrypted_content": "e"}, ENCRYPTED),
        ({"type": "reasoning", "summary": [], "encrypted_content": None}, None),
        ({"type": "reasoning.encrypted", "data": "d"}, ENCRYPTED),
        ({"type": "reasoning.text", "text": "t", "signature": "s"}, SIGNED),
        ({"type": "web_search_result", "title": "t", "encrypted_content": "e"}, ENCRYPTED),
        ({"type": "web_search_tool_result", "content": []}, PROVIDER_RUN),
        ({"type": "mcp_tool_result", "content": []}, PROVIDER_RUN),
        ({"type": "server_tool_use", "input": {}}, PROVIDER_RUN),
        ({"type": "web_search_call"}, PROVIDER_RUN),
        ({"executableCode": {"code": "c"}}, PROVIDER_RUN),
        ({"type": "compaction", "content": "c"}, COMPACTED),
        ({"type": "compaction_trigger"}, None),
        ({"type": "tool_use", "input": {}}, None),
        ({"type": "tool_result", "content": "c"}, None),
        ({"type": "function_call", "arguments": ""}, None),
        ({"type": "text", "text": "t"}, None),
        ({}, None),
    ],
)
def test_parts(part: dict[str, Any], why: str | None) -> None:
    assert guard(part) == why


@given(OBJECTS)
def test_no_value_raises(part: dict[str, Any]) -> None:
    guard(part)
