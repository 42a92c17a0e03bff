import pytest

from intelligence.wire.draft import error_of


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
