"""A small value that fits a JSON schema: the arguments of made-up tool calls, and structured output.

Covers what tools use: types (in lower or, as Gemini writes them, upper case), `enum`, `const`, `$ref`, `anyOf`, `oneOf`,
`allOf`, bounds and lengths, common string formats. `pattern` is not solved; a `default` or `examples` beside it is taken.
Only required properties are filled. The same schema always gives the same value.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_FORMATS = {
    "date": "2026-01-15",
    "time": "09:30:00Z",
    "date-time": "2026-01-15T09:30:00Z",
    "email": "someone@example.com",
    "hostname": "example.com",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "uri": "https://example.com/",
    "url": "https://example.com/",
    "uuid": "00000000-0000-4000-8000-000000000000",
}
# Agents execute what they are told to: what looks like a command must be harmless.
_COMMANDS = {"command", "cmd", "script", "code"}
_MAX_DEPTH = 16


def example(schema: Mapping[str, Any], name: str = "value") -> Any:
    """A value for `schema`. `name` is the property's name, used in its text."""
    return _example(schema, name, schema, 0)


def _example(schema: Any, name: str, root: Mapping[str, Any], depth: int) -> Any:
    if not isinstance(schema, Mapping) or depth > _MAX_DEPTH:
        return None
    if "$ref" in schema:
        return _example(_resolve(schema["$ref"], root), name, root, depth + 1)
    if "const" in schema:
        return schema["const"]
    if schema.get("enum"):
        return schema["enum"][0]
    for choice in ("anyOf", "oneOf"):
        if schema.get(choice):
            return _example(schema[choice][0], name, root, depth + 1)
    if schema.get("allOf"):
        return _example(_merged([schema, *schema["allOf"]], root), name, root, depth + 1)
    if "default" in schema and schema["default"] is not None:
        return schema["default"]
    if schema.get("examples"):
        return schema["examples"][0]
    return _typed(schema, name, root, depth)


def _typed(schema: Mapping[str, Any], name: str, root: Mapping[str, Any], depth: int) -> Any:
    kind = schema.get("type", "object" if "properties" in schema else "string")
    if isinstance(kind, list):
        kind = next((k for k in kind if k != "null"), "null")
    match str(kind).lower():
        case "object":
            properties = schema.get("properties") or {}
            return {
                key: _example(properties.get(key, {}), key, root, depth + 1)
                for key in schema.get("required") or ()
            }
        case "array":
            count = int(schema.get("minItems", 1))
            return [_example(schema.get("items", {}), name, root, depth + 1)] * count
        case "integer" | "number":
            return _number(schema)
        case "boolean":
            return True
        case "null":
            return None
        case _:
            return _string(schema, name)


def _number(schema: Mapping[str, Any]) -> Any:
    low, high = schema.get("minimum"), schema.get("maximum")
    if low is None and isinstance(schema.get("exclusiveMinimum"), int | float):
        low = schema["exclusiveMinimum"] + 1
    if high is None and isinstance(schema.get("exclusiveMaximum"), int | float):
        high = schema["exclusiveMaximum"] - 1
    step = schema.get("multipleOf") or 1
    value = step if low is None else max(step, -(-low // step) * step)
    return value if high is None else min(value, high)


def _string(schema: Mapping[str, Any], name: str) -> str:
    text = _FORMATS.get(schema.get("format", ""))
    if text is None:
        text = "echo offline" if name.lower() in _COMMANDS else f"example {name.replace('_', ' ')}"
    text = text.ljust(int(schema.get("minLength") or 0), "x")
    return text[: int(schema["maxLength"])] if schema.get("maxLength") else text


def _resolve(ref: str, root: Mapping[str, Any]) -> Any:
    found: Any = root
    for step in ref.removeprefix("#").strip("/").split("/"):
        if step:
            found = (
                found.get(step.replace("~1", "/").replace("~0", "~")) if isinstance(found, Mapping) else None
            )
    return found


def _merged(schemas: list[Any], root: Mapping[str, Any]) -> dict[str, Any]:
    merged: dict[str, Any] = {}
    properties: dict[str, Any] = {}
    required: list[str] = []
    for schema in schemas:
        while isinstance(schema, Mapping) and "$ref" in schema:
            schema = _resolve(schema["$ref"], root)
        if not isinstance(schema, Mapping):
            continue
        merged |= {k: v for k, v in schema.items() if k != "allOf"}
        properties |= schema.get("properties") or {}
        required += schema.get("required") or []
    return merged | ({"properties": properties, "required": required} if properties else {})
