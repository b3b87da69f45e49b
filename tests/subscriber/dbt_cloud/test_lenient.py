import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from subscriber.dbt_cloud import lenient


@pytest.mark.parametrize(
    ("written", "read"),
    [("123", "123"), (123, "123"), ("None", ""), (None, ""), (True, ""), ([1], ""), (" a ", "a")],
)
def test_a_text_may_be_written_as_a_number_and_nothing_in_several_ways(
    written: object, read: str
) -> None:
    assert lenient.text({"key": written}, "key") == read


@pytest.mark.parametrize(("written", "read"), [([1, "2", None, {}], ("1", "2")), (None, ())])
def test_a_list_holds_texts_or_numbers(written: object, read: tuple[str, ...]) -> None:
    assert lenient.texts({"key": written}, "key") == read


@pytest.mark.parametrize(
    ("written", "read"),
    [
        *(("202", 202), (202, 202), ("0", None), (None, None), ("", None), ("99999", None)),
        *(("²", None), pytest.param("0001" + "1" * 5_000, None, id="no-number-of-Python's")),
    ],
)
def test_a_status_of_0_means_that_there_was_no_answer(written: object, read: int | None) -> None:
    assert lenient.status({"key": written}, "key") == read


@pytest.mark.parametrize(
    ("written", "read"),
    [(True, True), (False, False), ("false", False), ("True", True), (0, False), (None, True)],
)
def test_a_switch_is_on_unless_it_is_said_to_be_off(written: object, *, read: bool) -> None:
    assert lenient.is_on({"key": written}, "key") is read


AT = datetime(2023, 2, 6, 9, 27, 24, 808877, tzinfo=UTC)


@pytest.mark.parametrize(
    "written", ["1675675644808877", 1675675644808877, "2023-02-06T09:27:24.808877265Z"]
)
def test_a_time_is_microseconds_or_rfc_3339(written: object) -> None:
    assert lenient.time({"key": written}, "key") == AT


@pytest.mark.parametrize(
    "written",
    [
        *("0", 0, "", None, "soon", "9" * 18, "9" * 900),
        *("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"),
    ],
)
def test_what_is_no_time_is_none(written: object) -> None:
    assert lenient.time({"key": written}, "key") is None


@pytest.mark.parametrize(
    "written",
    [
        json.dumps({"Authorization": "ab12", "Content-Type": "application/json"}),
        json.dumps({"Authorization": ["ab12"], "Content-Type": ["application/json"]}),
        "Authorization: ab12\r\nContent-Type: application/json",
    ],
)
def test_headers_are_an_object_or_lines(written: str) -> None:
    assert lenient.headers(written) == {"authorization": "ab12", "content-type": "application/json"}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(JSON)
def test_whatever_is_written_is_read(value: object) -> None:
    fields = {"key": value}

    lenient.text(fields, "key")
    lenient.texts(fields, "key")
    lenient.status(fields, "key")
    lenient.time(fields, "key")
    lenient.headers(json.dumps(value))
