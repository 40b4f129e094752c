"""The parts that every spec is made of."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from integration_operator.core.model import (
    AllowedNamespaces,
    Duration,
    Hostname,
    HttpsOrHttpUrl,
    LabelSelector,
    Name,
    format_duration,
    parse_duration,
)


@pytest.mark.parametrize(
    ("text", "seconds"), [("30s", 30), ("5m", 300), ("1h30m", 5400), ("250ms", 0.25), ("1.5h", 5400), ("1m30s", 90)]
)
def test_durations_in_go_style(text: str, seconds: float) -> None:
    assert parse_duration(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize("text", ["PT30S", "30", "", "s", "-5s", "5 s", "1d", "5s\n", "٣s", "1" * 40 + "s"])
def test_other_durations_are_refused_with_a_message_that_says_what_to_write(text: str) -> None:
    with pytest.raises(ValidationError, match="write a duration in Go style"):
        TypeAdapter(Duration).validate_python(text)


@given(st.integers(min_value=1, max_value=10**9))
def test_a_duration_survives_being_written(milliseconds: int) -> None:
    value = timedelta(milliseconds=milliseconds)
    assert parse_duration(format_duration(value)) == value


@pytest.mark.parametrize("name", ["a", "a-b", "a.b", "0", "a" * 253])
def test_names(name: str) -> None:
    assert TypeAdapter(Name).validate_python(name) == name


@pytest.mark.parametrize("name", ["", "A", "-a", "a-", "a..b", "a_b", "ä", "a\n", "a" * 254, "a\u200b"])
def test_what_is_no_name(name: str) -> None:
    with pytest.raises(ValidationError, match="write an object name"):
        TypeAdapter(Name).validate_python(name)


@pytest.mark.parametrize("host", ["https://a.b", "a.b:80", "a.b/", "A.b", "*.b", "a b"])
def test_what_is_no_host_name(host: str) -> None:
    with pytest.raises(ValidationError, match="write a DNS host name"):
        TypeAdapter(Hostname).validate_python(host)


@pytest.mark.parametrize(
    "url",
    [
        "https://a:99999",
        "https://a:65536",
        "https://a:0",
        "ftp://a",
        "//a",
        "a.b",
        "https://u:p@a.b",
        "https://a.b?q=1",
        "https://a.b#f",
        "https://",
        "https://a b",
    ],
)
def test_what_is_no_url(url: str) -> None:
    with pytest.raises(ValidationError, match="write an absolute URL"):
        TypeAdapter(HttpsOrHttpUrl).validate_python(url)


def test_consent_is_for_the_own_namespace_unless_the_owner_says_more() -> None:
    own = AllowedNamespaces()
    assert own.permit("shop", "shop", {})
    assert not own.permit("shop", "other", {"team": "shop"})
    everyone = AllowedNamespaces.model_validate({"from": "All"})
    assert everyone.permit("shop", "other", {})
    some = AllowedNamespaces.model_validate({"from": "Selector", "selector": {"matchLabels": {"team": "finance"}}})
    assert some.permit("shop", "other", {"team": "finance"})
    assert not some.permit("shop", "other", {"team": "sales"})


@pytest.mark.parametrize("spec", [{"from": "Selector"}, {"from": "All", "selector": {}}, {"selector": {}}])
def test_a_selector_goes_with_from_selector_and_only_with_it(spec: dict[str, object]) -> None:
    with pytest.raises(ValidationError, match="selector goes with from: Selector"):
        AllowedNamespaces.model_validate(spec)


@pytest.mark.parametrize(
    ("operator", "values", "labels", "matches"),
    [
        ("In", ["a"], {"k": "a"}, True),
        ("In", ["a"], {}, False),
        ("NotIn", ["a"], {}, True),
        ("NotIn", ["a"], {"k": "a"}, False),
        ("Exists", [], {"k": ""}, True),
        ("DoesNotExist", [], {"k": ""}, False),
    ],
)
def test_label_requirements(operator: str, values: list[str], labels: dict[str, str], matches: bool) -> None:
    selector = LabelSelector.model_validate(
        {"matchExpressions": [{"key": "k", "operator": operator, "values": values}]}
    )
    assert selector.matches(labels) is matches
