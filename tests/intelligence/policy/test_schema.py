from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from intelligence.policy import schema
from intelligence.policy.rule import Condition, Rule

POLICIES = Path(__file__).parents[3] / "policies"


def test_the_file_for_editors_is_current() -> None:
    told = "run: llmitm policy schema > policies/policy.schema.json"
    assert (POLICIES / schema.NAME).read_text("utf-8") == schema.text(), told


def test_every_key_is_there_with_its_meaning() -> None:
    made = schema.policy_schema()["$defs"]
    for model in (Rule, Condition):
        properties = made[model.__name__]["properties"]
        assert set(properties) == {field.alias or name for name, field in model.model_fields.items()}
        assert [name for name, value in properties.items() if not value.get("description")] == []


def test_one_value_may_stand_for_a_list_and_a_text_for_a_number() -> None:
    made = schema.policy_schema()["$defs"]
    model = made["Condition"]["properties"]["model"]["anyOf"]
    assert {one["type"] for one in model} == {"string", "array", "null"}
    assert made["LimitMatch"]["properties"]["cost_usd"]["anyOf"][0]["type"] == ["number", "string"]


@pytest.mark.parametrize("path", sorted(POLICIES.rglob("*.yaml")), ids=lambda path: path.stem)
def test_each_file_that_ships_names_the_schema(path: Path) -> None:
    first = path.read_text("utf-8").splitlines()[0]
    assert first.startswith("# yaml-language-server: $schema=")
    assert (path.parent / first.partition("=")[2]).resolve() == (POLICIES / schema.NAME).resolve()
    assert isinstance(yaml.safe_load(path.read_text("utf-8")), dict)
