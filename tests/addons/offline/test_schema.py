"""Values that fit a schema."""

from __future__ import annotations

import pytest

from addons.offline.schema import example


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ({"type": "string"}, "example value"),
        ({"type": "STRING", "enum": ["b", "a"]}, "b"),
        ({"const": 4}, 4),
        ({"type": ["null", "integer"]}, 1),
        ({"type": "integer", "minimum": 3, "multipleOf": 5}, 5),
        ({"type": "number", "exclusiveMinimum": 1, "maximum": 2}, 2),
        ({"type": "integer", "exclusiveMaximum": 0}, -1),
        ({"type": "string", "format": "date"}, "2026-01-15"),
        ({"type": "string", "minLength": 20}, "example valuexxxxxxx"),
        ({"type": "string", "maxLength": 3}, "exa"),
        ({"type": "string", "pattern": "^v[0-9]$", "examples": ["v1"]}, "v1"),
        ({"type": "boolean", "default": False}, False),
        ({"type": "array", "items": {"type": "boolean"}, "minItems": 2}, [True, True]),
        ({"anyOf": [{"type": "null"}, {"type": "string"}]}, None),
        (
            {"allOf": [{"properties": {"a": {"type": "null"}}, "required": ["a"]}, {"type": "object"}]},
            {"a": None},
        ),
        ({"type": "object", "properties": {"a": {}, "b": {"type": "integer"}}, "required": ["b"]}, {"b": 1}),
        (
            {"type": "object", "properties": {"command": {"type": "string"}}, "required": ["command"]},
            {"command": "echo offline"},
        ),
        ({}, "example value"),
        ({"type": "object"}, {}),
    ],
)
def test_example(schema, expected):
    assert example(schema) == expected


def test_references_and_recursion_end():
    node = {"type": "object", "properties": {"next": {"$ref": "#/$defs/node"}}, "required": ["next"]}
    value = example({"$ref": "#/$defs/node", "$defs": {"node": node}})
    depth = 0
    while value:
        value, depth = value["next"], depth + 1
    assert 1 < depth < 20
    assert example({"$ref": "#/missing"}) is None
