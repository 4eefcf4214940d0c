"""Logs are read in parts, and whoever puts the parts together has the log."""

from __future__ import annotations

import io

from hypothesis import given
from hypothesis import strategies as st

from jupyterlab_pipelines.store.logs import read_part

# Of one to four bytes each.
texts = st.text(alphabet="a\nß€😀", max_size=60)


@given(texts, st.lists(st.integers(0, 240), max_size=6))
def test_parts_of_a_log_that_grows_are_the_whole_of_it(text: str, looks: list[int]) -> None:
    data, seen, end = text.encode(), "", 0
    for size in sorted(looks):
        part = read_part(io.BytesIO(data[:size]), start=end, is_growing=True)
        assert part.start == end
        seen, end = seen + part.text, part.end
    assert seen + read_part(io.BytesIO(data), start=end).text == text


@given(texts, st.integers(1, 100))
def test_the_end_of_a_log_is_whole_characters_and_not_more_than_asked_for(text: str, most: int) -> None:
    data = text.encode()
    part = read_part(io.BytesIO(data), last_bytes=most)
    assert text.endswith(part.text)
    assert len(part.text.encode()) <= most
    assert data[part.start : part.end] == part.text.encode()
    # At most three bytes less: the rest of a character that was cut.
    assert len(part.text.encode()) >= min(most, len(data)) - 3


def test_the_plain_text_has_no_escape_sequences() -> None:
    part = read_part(io.BytesIO(b"outer\n\rinner\x1b[A\router\x1b[12A"))
    assert part.plain == "outer\n\rinner\router"


def test_a_log_that_has_begun_anew_is_told_from_its_beginning() -> None:
    assert read_part(io.BytesIO(b"again"), start=100).text == "again"
