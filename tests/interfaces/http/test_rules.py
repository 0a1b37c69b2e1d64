"""The table of rules: exact before patterns, whole paths only."""

from __future__ import annotations

import pytest

from hilum.interfaces.http.rules import RULES, Rule, Rules, pattern_of


def test_exact_paths_win_and_patterns_take_one_segment() -> None:
    rules = Rules((Rule("GET", "/a/{x}", "read"), Rule("GET", "/a/b", "users"), Rule("GET", "/s/{p:path}", "")))
    found = [rules.at(path) for path in ("/a/b", "/a/c", "/s/x/y", "/v1/a/b")]
    assert [place["GET"].act for place in found if place] == ["users", "read", "", "users"]
    assert [rules.at(path) for path in ("/a/b/c", "/a/", "/a", "/A/b", "/v1", "/v1a/b", "a/b")] == [None] * 7


def test_a_rule_for_get_is_one_for_head() -> None:
    place = Rules((Rule("GET POST", "/a", "read"),)).at("/a")
    assert place is not None
    assert sorted(place) == ["GET", "HEAD", "POST"]


def test_no_path_and_method_stands_twice() -> None:
    stood = [(method, rule.path) for rule in RULES for method in rule.methods.split()]
    assert len(stood) == len(set(stood))


@pytest.mark.parametrize("path", ["/a.b", "/a+b", "/a(b"])
def test_what_is_no_parameter_is_meant_literally(path: str) -> None:
    assert pattern_of(path).fullmatch(path)
    assert not pattern_of(path).fullmatch("/aXb")
