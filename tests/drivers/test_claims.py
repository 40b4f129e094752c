"""Claim mappings and rules on examples, in the worker's own process."""

import json
from datetime import timedelta
from typing import Any

import pytest

from integration_operator.core.plan import Outcome
from integration_operator.drivers.identity import Claims
from integration_operator.drivers.probes.claims import ClaimsProbe
from tests.drivers.targets import RULES

EMAIL = {"username": {"expression": "claims.email"}}
SUB = {"username": {"claim": "sub", "prefix": ""}}
VERIFIED = {"expression": "claims.email_verified == true", "message": "not verified"}


async def ask(mappings: dict[str, Any], *examples: dict[str, Any], timeout: float = 30, **rules: Any) -> Outcome:
    request = {
        "claimMappings": mappings,
        "claimValidationRules": [],
        "userValidationRules": [],
        "examples": [{"name": f"{i}", **e} for i, e in enumerate(examples)],
        **rules,
    }
    return await ClaimsProbe(RULES).probe(Claims(json.dumps(request)), timedelta(seconds=timeout))


@pytest.mark.parametrize(
    ("mappings", "claims", "user"),
    [
        (SUB, {"sub": "a"}, {"username": "a", "groups": [], "uid": "", "extra": {}}),
        ({"username": {"claim": "sub", "prefix": "kc:"}}, {"sub": "a"}, {"username": "kc:a"}),
        ({**SUB, "groups": {"claim": "g", "prefix": "p:"}}, {"sub": "a", "g": ["x", "y"]}, {"groups": ["p:x", "p:y"]}),
        ({**SUB, "groups": {"claim": "g", "prefix": ""}}, {"sub": "a", "g": "x"}, {"groups": ["x"]}),
        ({**SUB, "groups": {"claim": "g", "prefix": ""}}, {"sub": "a"}, {"groups": []}),
        (
            {**SUB, "groups": {"expression": "claims.r.map(r, 'kc:' + r)"}},
            {"sub": "a", "r": ["x"]},
            {"groups": ["kc:x"]},
        ),
        ({**SUB, "groups": {"expression": "claims.g.split(',')"}}, {"sub": "a", "g": "x,,y"}, {"groups": ["x", "y"]}),
        ({**SUB, "uid": {"expression": "claims.?oid.orValue('none')"}}, {"sub": "a"}, {"uid": "none"}),
        (
            {**SUB, "extra": [{"key": "e.com/t", "valueExpression": "has(claims.t) ? claims.t : ''"}]},
            {"sub": "a", "t": ["b", "c"]},
            {"extra": {"e.com/t": ["b", "c"]}},
        ),
        (
            {**SUB, "extra": [{"key": "e.com/t", "valueExpression": "has(claims.t) ? claims.t : ''"}]},
            {"sub": "a"},
            {"extra": {}},
        ),
    ],
)
async def test_claims_become_a_user(mappings: dict[str, Any], claims: dict[str, Any], user: dict[str, Any]) -> None:
    outcome = await ask(mappings, {"claims": claims, "expect": {"username": user.get("username", "a"), **user}})
    assert (outcome.ok, outcome.message) == (True, "")
    assert outcome.data["users"][0].items() >= user.items()


@pytest.mark.parametrize(
    ("mappings", "rules", "claims", "error"),
    [
        (SUB, {}, {}, "the username is no string"),
        (SUB, {}, {"sub": 7}, "the username is no string"),
        ({"username": {"expression": "claims.a"}}, {}, {"a": ""}, "the username is empty"),
        ({"username": {"expression": "claims.a"}}, {}, {}, "Key not found"),
        ({"username": {"claim": "email", "prefix": ""}}, {}, {"email": "a", "email_verified": False}, "not verified"),
        ({**SUB, "groups": {"claim": "g", "prefix": ""}}, {}, {"sub": "a", "g": 7}, "no string or list of strings"),
        ({**SUB, "groups": {"expression": "claims.g"}}, {}, {"sub": "a", "g": [1]}, "no string or list of strings"),
        (EMAIL, {"claimValidationRules": [VERIFIED]}, {"email": "a", "email_verified": False}, "not verified"),
        (EMAIL, {"claimValidationRules": [VERIFIED]}, {"email": "a", "email_verified": "true"}, "not verified"),
        (SUB, {"claimValidationRules": [{"claim": "hd", "requiredValue": "x"}]}, {"sub": "a"}, "claim hd is not 'x'"),
        (
            SUB,
            {"userValidationRules": [{"expression": "!user.username.startsWith('system:')", "message": "reserved"}]},
            {"sub": "system:admin"},
            "reserved",
        ),
        (SUB, {"userValidationRules": [{"expression": "user.groups"}]}, {"sub": "a"}, "gives no boolean"),
    ],
)
async def test_a_token_that_is_refused(
    mappings: dict[str, Any], rules: dict[str, Any], claims: dict[str, Any], error: str
) -> None:
    outcome = await ask(mappings, {"claims": claims, "expectError": error}, **rules)
    assert (outcome.ok, outcome.message) == (True, "")


@pytest.mark.parametrize(
    ("example", "said"),
    [
        ({"expect": {"username": "b"}}, "0: username is 'a', and not 'b'"),
        ({"expect": {"username": "a", "groups": ["x"]}}, "0: groups is [], and not ['x']"),
        ({"expectError": "refused"}, "0: gives user 'a', and was to be refused"),
    ],
)
async def test_an_example_that_fails_says_what_came_instead(example: dict[str, Any], said: str) -> None:
    outcome = await ask(SUB, {"claims": {"sub": "a"}, **example})
    assert (outcome.ok, outcome.reason, outcome.message) == (False, "ExampleFailed", said)


@pytest.mark.parametrize(
    ("mappings", "rules", "said"),
    [
        ({"username": {"expression": "claims.email =="}}, {}, "claimMappings.username.expression: 1:16: Syntax error"),
        ({"username": {"expression": "claim.email"}}, {}, "undeclared reference to 'claim.email'"),
        ({"username": {"expression": "1 + 1"}}, {}, "gives INT, not STRING"),
        ({**SUB, "groups": {"expression": "true"}}, {}, "claimMappings.groups.expression: gives BOOL"),
        (SUB, {"claimValidationRules": [{"expression": "claims.sub + 'x'"}]}, "gives STRING, not BOOL"),
        (SUB, {"userValidationRules": [{"expression": "claims.sub == 'a'"}]}, "undeclared reference to 'claims.sub'"),
        (EMAIL, {}, "some rule must use claims.email_verified"),
    ],
)
async def test_an_expression_that_can_not_be_used_names_its_place(
    mappings: dict[str, Any], rules: dict[str, Any], said: str
) -> None:
    outcome = await ask(mappings, **rules)
    assert (outcome.ok, outcome.reason) == (False, "InvalidExpression")
    assert said in outcome.message


async def test_an_expression_that_costs_much_ends_and_says_so() -> None:
    wide = "'0123456789'"
    for _ in range(9):
        wide = f"[{wide}].map(x, [{','.join('x' * 10)}].join(''))[0]"
    outcome = await ask({"username": {"expression": wide}}, {"claims": {}, "expectError": "x"})
    assert (outcome.ok, outcome.reason) == (False, "ExpressionTooCostly")
    nested = "claims.l.all(a, claims.l.all(b, claims.l.all(c, a + b + c >= 0))) ? 'a' : 'b'"
    claims = {"l": list(range(1000))}
    outcome = await ask({"username": {"expression": nested}}, {"claims": claims, "expectError": "budget"})
    assert outcome.ok, outcome.message


async def test_an_answer_that_comes_too_late_is_not_waited_for() -> None:
    outcome = await ask(SUB, {"claims": {"sub": "a"}, "expect": {"username": "a"}}, timeout=0.001)
    assert (outcome.ok, outcome.reason) == (False, "ExpressionTooCostly")
