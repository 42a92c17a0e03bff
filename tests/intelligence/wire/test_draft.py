import pytest

from intelligence.wire import draft
from intelligence.wire.draft import Draft, Tokens, error_of


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        ({"error": {"message": "No.", "type": "bad", "code": "x"}}, ("bad", "No.")),
        ({"error": {"message": "No.", "type": None, "code": "x"}}, ("x", "No.")),
        ({"error": {"message": "No.", "code": 429}}, ("429", "No.")),
        ({"error": {"message": "No.", "code": None}}, (None, "No.")),
        (
            {"type": "error", "error": {"type": "overloaded_error", "message": "No."}},
            ("overloaded_error", "No."),
        ),
        ({"error": {"code": 404, "status": "NOT_FOUND", "message": "No."}}, ("NOT_FOUND", "No.")),
        ([{"error": {"code": 404, "status": "NOT_FOUND", "message": "No."}}], ("NOT_FOUND", "No.")),
        ({"error": "No."}, (None, "No.")),
        ({"message": "No."}, (None, "No.")),
        ({"Message": "No.", "__type": "Throttling"}, ("Throttling", "No.")),
        ({"detail": "No."}, (None, "No.")),
        ({"error_code": 1, "errors": [{"code": 10000, "message": "No."}]}, ("10000", "No.")),
        ("No.", (None, "No.")),
        ({}, (None, None)),
        (None, (None, None)),
        (7, (None, None)),
        ({"error": {"message": {"nested": 1}}}, (None, '{"nested":1}')),
    ],
)
def test_errors_of_all_providers(error, expected):
    assert error_of(error) == expected


def test_more_tool_calls_than_any_answer_has_are_left_out():
    made = Draft()
    for number in range(draft.MAX_TOOL_CALLS + 5):
        made.call(str(number), "f", None).pieces.append("{}")
    calls = made.answer().tool_calls
    assert (len(calls), calls[-1].id) == (draft.MAX_TOOL_CALLS, str(draft.MAX_TOOL_CALLS - 1))


def test_counts_of_no_provider_are_left_out():
    made = Draft()
    made.counted({"input_tokens": 1}, lambda usage: Tokens(input=usage["input_tokens"]))
    made.counted({str(number): 1 for number in range(1000)}, lambda usage: Tokens(input=2))
    made.counted("many", lambda usage: Tokens(input=3))
    assert (made.answer().input_tokens, made.answer().usage_raw) == (1, {"input_tokens": 1})
    made.counted({"input_tokens": 4, "details": "x" * 100_000}, lambda usage: Tokens(input=4))
    assert (made.answer().input_tokens, made.answer().usage_raw) == (4, None)


def test_names_are_no_longer_than_names_are():
    made = Draft(model="m" * 10_000, finish_reason="f" * 10_000)
    made.fail_as("t" * 10_000, "m" * 1_000_000)
    answer = made.answer()
    assert max(len(answer.model), len(answer.finish_reason), len(answer.error_type)) == 1024
    assert len(answer.error_message) == 65_536
