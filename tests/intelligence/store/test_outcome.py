import pytest

from intelligence.store.journal import EndHead
from intelligence.store.outcome import outcome
from intelligence.wire.answer import Answer


def answer(**changes):
    return Answer(**({"terminal": True} | changes))


@pytest.mark.parametrize(
    ("cause", "status", "said", "whole", "expected"),
    [
        ("complete", 200, answer(), True, ("complete", None)),
        ("complete", 200, None, True, ("complete", None)),  # nothing to parse says nothing against it
        ("complete", 200, answer(terminal=False), True, ("error", "incomplete_answer")),
        ("complete", 200, answer(terminal=False), False, ("complete", None)),
        ("complete", 200, answer(terminal=None), True, ("complete", None)),
        ("client_left", 200, answer(terminal=None), True, ("aborted", None)),
        ("complete", 200, answer(error_type="server_error"), True, ("error", "server_error")),
        ("complete", 500, None, True, ("error", "500")),
        (
            "complete",
            429,
            answer(terminal=False, error_type="rate_limit_error"),
            True,
            ("error", "rate_limit_error"),
        ),
        ("client_left", 200, answer(), True, ("complete", None)),
        ("client_left", 200, answer(terminal=False), True, ("aborted", None)),
        ("client_left", None, None, True, ("aborted", None)),
        ("upstream_error", 200, answer(terminal=False), True, ("error", "upstream_error")),
        ("upstream_error", None, None, True, ("error", "upstream_error")),
        ("proxy_stopped", 200, answer(terminal=False), True, ("interrupted", None)),
        ("proxy_stopped", 200, answer(), True, ("complete", None)),
        ("blocked", 200, answer(), True, ("blocked", None)),
        ("blocked", 403, answer(error_type="policy"), True, ("blocked", "policy")),
        (None, 200, answer(terminal=False), True, ("interrupted", None)),
        (None, 200, answer(), True, ("complete", None)),
        (None, None, None, True, ("interrupted", None)),
    ],
)
def test_state_and_error_type(cause, status, said, whole, expected):
    result = outcome(EndHead(cause) if cause else None, status, said, whole=whole)
    assert (result.state, result.error_type) == expected


def test_the_proxys_words_stand_in_for_a_message_of_the_provider():
    reset = EndHead("upstream_error", "connection reset")
    assert outcome(reset, 200, answer(terminal=False), whole=True).error_message == "connection reset"
    own = answer(error_type="overloaded_error", error_message="Overloaded")
    assert outcome(reset, 200, own, whole=True).error_message == "Overloaded"
    assert outcome(EndHead("complete"), 200, answer(), whole=True).error_message is None
