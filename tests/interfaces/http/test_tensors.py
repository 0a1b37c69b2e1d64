"""Bodies of v2 requests: what was written is read again, and nonsense is a problem, never another error."""

from __future__ import annotations

import gzip
import json
import math
import zlib
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hilum.interfaces.http.body import OBJECTS, STRINGS, WIDE_BYTES, read_json
from hilum.interfaces.http.problems import Problem
from hilum.interfaces.http.tensors import (
    HEADER_LENGTH,
    LISTS,
    NUMBERS,
    ROWS,
    Asked,
    Output,
    plain_body,
    read_request,
    write_answer,
)

WORDS = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**40), 2**40) | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)
TENSORS = st.fixed_dictionaries(
    {},
    optional={
        "name": WORDS | st.just("image"),
        "datatype": WORDS | st.sampled_from(["BYTES", "UINT8"]),
        "shape": WORDS | st.lists(st.integers(-1, 4), max_size=3),
        "parameters": WORDS | st.fixed_dictionaries({"binary_data_size": WORDS | st.integers(-1, 30)}),
        "data": WORDS,
    },
)
BODIES = st.fixed_dictionaries(
    {}, optional={"inputs": WORDS | st.lists(TENSORS, max_size=3), "outputs": WORDS | st.lists(TENSORS, max_size=2),
                  "id": WORDS, "parameters": WORDS},
)  # fmt: skip


@given(BODIES, st.binary(max_size=30))
def test_whatever_is_sent_is_read_or_a_problem(said: dict, raw: bytes) -> None:
    head = json.dumps(said).encode()
    try:
        asked = read_request(head + raw, str(len(head)))
    except Problem as problem:
        assert problem.status == 400  # noqa: PT017  # either outcome is right
    else:
        for tensor in asked.inputs.values():
            assert len(tensor.data) == math.prod(tensor.shape)


@given(st.lists(st.binary(max_size=20), min_size=1, max_size=5), st.lists(st.integers(0, 255), min_size=1, max_size=9))
def test_binary_tensors_are_cut_where_they_were_joined(words: list[bytes], numbers: list[int]) -> None:
    raw = b"".join(len(word).to_bytes(4, "little") + word for word in words), bytes(numbers)
    inputs = [
        {"name": name, "datatype": kind, "shape": [size], "parameters": {"binary_data_size": len(part)}}
        for name, kind, size, part in zip(("a", "b"), ("BYTES", "UINT8"), (len(words), len(numbers)), raw, strict=True)
    ]
    head = json.dumps({"inputs": inputs}).encode()
    asked = read_request(head + b"".join(raw), str(len(head)))
    assert asked.inputs["a"].data == words
    assert np.array_equal(asked.inputs["b"].data, np.array(numbers, np.uint8))


def test_a_tensor_goes_out_in_json_or_in_binary() -> None:
    outputs = [
        Output("p", "FP32", (1, 2), [0.5, math.nan]),
        Output("q", "FP32", (2,), [0.5, math.nan], binary=True),
        Output("c", "BYTES", (1,), ["ä"], binary=True),
        Output("a", "BOOL", (2,), [True, False], binary=True),
    ]
    body, headers = write_answer({"model_name": "m"}, outputs)
    head, raw = body[: int(headers[HEADER_LENGTH])], body[int(headers[HEADER_LENGTH]) :]
    said = json.loads(head)
    assert said["outputs"][0]["data"] == [0.5, None]
    assert [one.get("parameters") for one in said["outputs"][1:]] == [{"binary_data_size": n} for n in (8, 6, 2)]
    assert np.array_equal(np.frombuffer(raw[:8], "<f4"), np.array([0.5, np.nan], np.float32), equal_nan=True)
    assert raw[8:] == b"\x02\0\0\0" + "ä".encode() + b"\1\0"


@pytest.mark.parametrize("length", ["-1", "+1", " 1", "0x1", "9" * 13, "\u0661"])
def test_a_length_is_plain_digits(length: str) -> None:
    with pytest.raises(Problem):
        read_request(b"{}", length)


def pixels(data: object, count: int) -> bytes:
    return json.dumps({"inputs": [{"name": "p", "datatype": "UINT8", "shape": [count], "data": data}]}).encode()


@pytest.mark.parametrize("nested", [[0, 1, 254, 255], [[0, 1], [254, 255]], [[[0]], [[1]], [[254]], [[255]]]])
def test_pixels_are_whole_numbers_of_one_byte(nested: object) -> None:
    found = read_request(pixels(nested, 4), None).inputs["p"].data
    assert np.array_equal(found, np.array([0, 1, 254, 255], np.uint8))
    for wrong in ([-1], [256], [2**70], [1.0], [True, "1"], ["1"], [None], [{}], [[1], [1, 2]], "ab", None, {}, []):
        with pytest.raises(Problem):
            read_request(pixels(wrong, 1), None)


def test_a_long_text_among_pixels_takes_no_more_memory_than_itself() -> None:
    with pytest.raises(Problem):  # as an array of texts: 4 TB
        read_request(pixels(["a" * 1_000_000, *[1] * 1_000_000], 1_000_001), None)


@pytest.mark.parametrize(("encoding", "pack"), [("gzip", gzip.compress), ("deflate", zlib.compress)])
def test_a_packed_body_is_one_whole_stream(encoding: str, pack: Callable[[bytes], bytes]) -> None:
    packed = pack(b"{}")
    assert plain_body(packed, encoding, 100) == plain_body(packed, encoding.upper(), 2) == b"{}"
    for wrong in (packed[:-4], packed[:-1], packed + packed, packed + b"\0", b""):
        with pytest.raises(Problem, match="one whole stream") as told:
            plain_body(wrong, encoding, 100)
        assert told.value.status == 400


def strings(count: int) -> Asked:
    """What is read of so many strings in a binary tensor."""
    raw = b"\1\0\0\0a" * count
    row = {"name": "image", "datatype": "BYTES", "shape": [count], "parameters": {"binary_data_size": len(raw)}}
    head = json.dumps({"inputs": [row]}).encode()
    return read_request(head + raw, str(len(head)))


def test_of_a_binary_tensor_no_more_strings_are_cut_than_there_may_be_images() -> None:
    assert strings(ROWS).inputs["image"].data == [b"a"] * ROWS
    with pytest.raises(Problem, match=f"more than {ROWS} images"):
        strings(ROWS + 1)


def test_shared_memory_is_refused_in_its_own_words() -> None:
    shared = {"shared_memory_region": "r", "shared_memory_byte_size": 8}
    inward = {"name": "image", "datatype": "BYTES", "shape": [1], "parameters": shared}
    plain = {"name": "image", "datatype": "BYTES", "shape": [1], "data": ["a"]}
    outward = {"name": "class", "parameters": shared}
    for said in ({"inputs": [inward]}, {"inputs": [plain], "outputs": [outward]}):
        with pytest.raises(Problem, match="shared memory is not offered"):
            read_request(json.dumps(said).encode(), None)


def test_an_input_stands_there_once() -> None:
    one = {"name": "image", "datatype": "BYTES", "shape": [1], "data": ["a"]}
    with pytest.raises(Problem, match="twice"):
        read_request(json.dumps({"inputs": [one, one]}).encode(), None)


@pytest.mark.parametrize(
    ("piece", "most"),
    [(b"1,", NUMBERS), (b"[],", LISTS), (b"{},", OBJECTS), (b'"ab",', STRINGS), (b"[[[]]],", LISTS // 3)],
    ids=["values", "lists", "objects", "strings", "lists in lists"],
)
def test_what_swells_in_memory_is_refused_before_it_is_read(piece: bytes, most: int) -> None:
    """A string of two letters is 5 bytes on the wire and 72 in memory, an empty list 3 and 80."""
    with pytest.raises(Problem, match="'inputs' must be a list of 1 to 16 tensors"):
        read_request(b'{"inputs":[' + piece * (most - 9) + b"1]}", None)
    with pytest.raises(
        Problem, match=r"the JSON holds more than [\d,]+ (values|lists|objects|strings): send the"
    ) as refused:
        read_request(b'{"inputs":[' + piece * (most + 9) + b"1]}", None)
    assert refused.value.status == 413


@pytest.mark.parametrize("letter", ["😀", "字", "\\ud83d\\ude00", "\\u5b57"])
def test_one_wide_letter_does_not_widen_a_large_text(letter: str) -> None:
    """Python keeps each letter of a text in as many bytes as its widest one needs: 60 MB had become 520."""
    small = read_json(b'["%s"]' % letter.encode())
    assert small == [json.loads(f'"{letter}"')]
    with pytest.raises(Problem, match="no letter beyond") as refused:
        read_json(b'["%s%s"]' % (b"A" * WIDE_BYTES, letter.encode()))
    assert refused.value.status == 413


@pytest.mark.parametrize("letter", ["ü", "\\u002B", "\\u00fc", "/"])
def test_a_large_text_of_narrow_letters_is_read(letter: str) -> None:
    (text,) = read_json(b'["%s%s"]' % (b"A" * WIDE_BYTES, letter.encode()))
    assert text[-1] == json.loads(f'"{letter}"')


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32"])
def test_json_is_utf_8(encoding: str) -> None:
    with pytest.raises(Problem, match="not JSON"):
        read_json('{"a": 1}'.encode(encoding))
    assert read_json('{"a": "字"}'.encode("utf-8-sig")) == {"a": "字"}
