"""The JSON Schema of a policy file, for editors: `# yaml-language-server: $schema=policy.schema.json` in its first line."""

from __future__ import annotations

import json
from typing import Any

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue

from intelligence.policy.rule import PolicyFile

NAME = "policy.schema.json"


def policy_schema() -> dict[str, Any]:
    """As people write it: what is a list may also be one value, and a number may be a text such as `">= 100k"`."""
    schema = PolicyFile.model_json_schema(by_alias=True, schema_generator=_AsWritten)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "llmitm policy file",
        **{key: value for key, value in schema.items() if key != "title"},
    }


def text() -> str:
    return json.dumps(policy_schema(), indent=2, ensure_ascii=False) + "\n"


class _AsWritten(GenerateJsonSchema):
    def list_schema(self, schema: Any) -> JsonSchemaValue:
        many = super().list_schema(schema)
        items = many.get("items", {})
        of_models = "$ref" in items
        return many if of_models else {"anyOf": [items, many]}

    def float_schema(self, schema: Any) -> JsonSchemaValue:
        return {"type": ["number", "string"]}

    def default_schema(self, schema: Any) -> JsonSchemaValue:
        found = super().default_schema(schema)
        return {key: value for key, value in found.items() if key != "title"}
