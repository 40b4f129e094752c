"""Judges claim mappings and rules on examples, as the API server's authenticator would (CEL over `claims` and `user`).

A process of its own: it reads one request from standard input, answers on standard output, and ends. Whoever wrote the
expressions can make them costly, so memory and CPU are bounded here, and the time by who waits for the answer.
"""

import json
import re
import resource
import sys
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from cel_expr_python import cel
from cel_expr_python.ext import ext_optional, ext_strings

MEMORY = 128 << 20
"""Bytes of address space: a third of it is the interpreter with its libraries."""
CPU_SECONDS = 10
ANSWER_LIMIT = 1 << 20
"""Characters of an answer; a longer one is not given."""


class Refused(Exception):
    """A token with such claims is refused; the text says why."""


class Wrong(Exception):
    """An expression can't be used; the text begins with its place."""


_EXTENSIONS = [ext_strings.ExtStrings(), ext_optional.ExtOptional()]
_CLAIMS = cel.NewEnv(variables={"claims": cel.Type.Map(cel.Type.STRING, cel.Type.DYN)}, extensions=_EXTENSIONS)
_USER = cel.NewEnv(variables={"user": cel.Type.Map(cel.Type.STRING, cel.Type.DYN)}, extensions=_EXTENSIONS)
STRING = ("STRING", "DYN")
STRINGS = ("STRING", "DYN", "LIST<STRING>", "LIST<DYN>", "NULL")
BOOL = ("BOOL", "DYN")


class Expression:
    """A compiled expression; Wrong where it does not compile or can't give what is wanted there."""

    def __init__(self, env: cel.Env, place: str, text: str, wanted: tuple[str, ...]) -> None:
        self.text, self._name = text, "claims" if env is _CLAIMS else "user"
        try:
            self._compiled = env.compile(text)
        except RuntimeError as error:
            first = str(error).partition("\n")[0].removeprefix("INVALID_ARGUMENT: ERROR: <input>:")
            raise Wrong(f"{place}: {first}") from None
        kind = self._compiled.return_type().name()
        if kind not in wanted:
            raise Wrong(f"{place}: gives {kind}, not {' or '.join(w for w in wanted if w != 'DYN')}")

    def of(self, value: Mapping[str, Any]) -> Any:
        """Its value; Refused where evaluating fails, as with a claim that is missing."""
        try:
            result = self._compiled.eval(data={self._name: value})
        except RuntimeError as error:
            raise Refused(f"{self.text}: {error}") from None
        if result.type().name() == "ERROR":
            raise Refused(f"{self.text}: {result.plain_value()}")
        return result.plain_value()


class Federation:
    """Mappings and rules, compiled; Wrong where one can't be."""

    def __init__(self, request: Mapping[str, Any]) -> None:
        mappings = request["claimMappings"]
        self._username = _mapping(mappings["username"], "claimMappings.username", STRING)
        self._groups = _mapping(mappings.get("groups"), "claimMappings.groups", STRINGS)
        self._uid = _mapping(mappings.get("uid"), "claimMappings.uid", STRING)
        self._extra = {
            e["key"]: Expression(_CLAIMS, f"claimMappings.extra[{e['key']}]", e["valueExpression"], STRINGS)
            for e in mappings.get("extra") or ()
        }
        self._claim_rules = [
            (r, _rule(_CLAIMS, r, f"claimValidationRules[{i}]")) for i, r in enumerate(request["claimValidationRules"])
        ]
        self._user_rules = [
            (r, _rule(_USER, r, f"userValidationRules[{i}]")) for i, r in enumerate(request["userValidationRules"])
        ]
        self._check_email(mappings, request["claimValidationRules"])

    def user(self, claims: Mapping[str, Any]) -> dict[str, Any]:
        """The user that a token with these claims stands for; Refused, with every reason, where it stands for none."""
        problems: list[str] = []
        user = {
            "username": _try(problems, lambda: self._name(claims)),
            "groups": _try(problems, lambda: self._group_list(claims)),
            "uid": _try(problems, lambda: _string(self._uid, claims, "uid") if self._uid else ""),
            "extra": _try(problems, lambda: {k: v for k, e in self._extra.items() if (v := _strings(e.of(claims)))}),
        }
        mapped = not problems
        for rule, expression in self._claim_rules:
            _try(problems, partial(_hold, rule, expression, claims))
        for rule, expression in self._user_rules if mapped else ():
            _try(problems, partial(_hold, rule, expression, user))
        if problems:
            raise Refused("; ".join(problems))
        return user

    def _name(self, claims: Mapping[str, Any]) -> str:
        name = _string(self._username, claims, "username")
        if isinstance(self._username, Expression):
            if not name:
                raise Refused("the username is empty")
            return name
        if self._username["claim"] == "email" and claims.get("email_verified", True) is not True:
            raise Refused("email not verified")
        return str(self._username["prefix"]) + name

    def _group_list(self, claims: Mapping[str, Any]) -> list[str]:
        if self._groups is None:
            return []
        if isinstance(self._groups, Expression):
            return _strings(self._groups.of(claims))
        value = claims.get(self._groups["claim"])
        listed = [value] if isinstance(value, str) else value if value is not None else []
        if not isinstance(listed, list) or not all(isinstance(g, str) for g in listed):
            raise Refused(f"claim {self._groups['claim']} is no string or list of strings")
        return [str(self._groups["prefix"]) + g for g in listed]

    @staticmethod
    def _check_email(mappings: Mapping[str, Any], rules: list[Mapping[str, Any]]) -> None:
        """As the API server has it: an address that nobody verified is no name."""
        uses = [e["valueExpression"] for e in mappings.get("extra") or ()] + [r.get("expression", "") for r in rules]
        name = mappings["username"].get("expression", "")
        if re.search(r"\bclaims\.\??email\b", name) and not any(_VERIFIED.search(text) for text in (name, *uses)):
            raise Wrong("claimMappings.username: uses claims.email, so some rule must use claims.email_verified")


_VERIFIED = re.compile(r"\bclaims\.\??email_verified\b")


def _try(problems: list[str], step: Callable[[], Any]) -> Any:
    """What a step gives; where it refuses, the reason joins the others."""
    try:
        return step()
    except Refused as refused:
        problems.append(str(refused))
        return None


def _mapping(part: Mapping[str, Any] | None, place: str, wanted: tuple[str, ...]) -> Any:
    if part is None or "expression" not in part:
        return part
    return Expression(_CLAIMS, f"{place}.expression", part["expression"], wanted)


def _rule(env: cel.Env, rule: Mapping[str, Any], place: str) -> Expression | None:
    return Expression(env, f"{place}.expression", rule["expression"], BOOL) if "expression" in rule else None


def _hold(rule: Mapping[str, Any], expression: Expression | None, value: Mapping[str, Any]) -> None:
    if expression is None:
        if value.get(rule["claim"]) != rule["requiredValue"]:
            raise Refused(f"claim {rule['claim']} is not {rule['requiredValue']!r}")
    elif (found := expression.of(value)) is not True:
        why = rule.get("message") or f"{expression.text} is not true"
        raise Refused(why if found is False else f"{expression.text} gives no boolean")


def _string(part: Any, claims: Mapping[str, Any], what: str) -> str:
    value = part.of(claims) if isinstance(part, Expression) else claims.get(part["claim"])
    if not isinstance(value, str):
        raise Refused(f"the {what} is no string")
    return value


def _strings(value: Any) -> list[str]:
    listed = [value] if isinstance(value, str) else value if value is not None else []
    if not isinstance(listed, list) or not all(isinstance(v, str) for v in listed):
        raise Refused("an expression gives no string or list of strings")
    return [v for v in listed if v]


def judge(request: Mapping[str, Any]) -> dict[str, Any]:
    """`{"wrong": text}`, or `{"failed": [text, …], "users": [user or {"error": text}, …]}`, one for each example."""
    try:
        federation = Federation(request)
    except Wrong as error:
        return {"wrong": str(error)}
    users, failed = [], []
    for example in request["examples"]:
        try:
            user = federation.user(example["claims"])
        except Refused as error:
            user = {"error": str(error)}
        users.append(user)
        if problem := _difference(example, user):
            failed.append(f"{example['name']}: {problem}")
    return {"failed": failed, "users": users}


def _difference(example: Mapping[str, Any], user: Mapping[str, Any]) -> str:
    if "expectError" in example:
        if "error" not in user:
            return f"gives user {user['username']!r}, and was to be refused"
        wanted = example["expectError"]
        return "" if wanted in user["error"] else f"refused with {user['error']!r}, and not with {wanted!r}"
    if "error" in user:
        return f"refused: {user['error']}"
    wrong = [f"{k} is {user[k]!r}, and not {v!r}" for k, v in example["expect"].items() if user[k] != v]
    return "; ".join(wrong)


def main() -> None:
    """One request, one answer."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    answer = json.dumps(judge(json.load(sys.stdin)))
    if len(answer) <= ANSWER_LIMIT:
        sys.stdout.write(answer)


if __name__ == "__main__":
    main()
