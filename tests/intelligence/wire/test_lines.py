from hypothesis import given
from hypothesis import strategies as st

from intelligence.wire.lines import LineSplitter
from tests.intelligence.wire.framings import in_pieces


@given(st.lists(st.text(alphabet="ab\r\n", max_size=6)))
def test_lines_are_those_of_the_whole(pieces):
    data = "".join(pieces)
    expected = data.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    if not expected[-1]:
        expected.pop()
    assert in_pieces(LineSplitter, [piece.encode() for piece in pieces]) == [
        line.encode() for line in expected
    ]
