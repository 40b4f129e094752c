"""One object's trouble is its own; and what an object depends on asks it again at once."""

from datetime import timedelta

import pytest

from integration_operator.core.plan import Outcome
from integration_operator.engine.checks import WIDTH
from tests.api.conftest import Operating, Operator
from tests.api.engine.widgets import now, widget
from tests.api.kube import AuditedApiServer, Kube, until


async def told(kube: Kube, name: str) -> bool:
    ready = await kube.condition(name)
    return (ready.get("status"), ready.get("reason")) == ("Unknown", "InternalError")


@pytest.mark.parametrize("where", ["look", "plan", "claims"])
async def test_a_bug_in_one_object_stops_no_other(kube: Kube, operator: Operating, where: str) -> None:
    await kube.create(*(widget(f"bad{i}", bug=where) for i in range(20)), widget("good", text="x"))
    async with operator(workers=2) as op:
        await kube.ready("good")
        await kube.create(widget("later", text="x"))
        await kube.ready("later")
        assert op.engine.healthy
        if where != "claims":
            await until(lambda: told(kube, "bad0"), "the object says that something is wrong")
        await kube.spec("bad0", bug=None, text="mended")
        await kube.ready("bad0")


async def test_a_bug_found_after_a_restart_keeps_nobody_from_leading(kube: Kube, operator: Operating) -> None:
    async with operator():
        await kube.create(widget("one", text="old"))
        await kube.ready("one")
    await kube.spec("one", bug="claims")
    await kube.create(widget("two", text="x"))
    async with operator():
        await kube.ready("two")


async def test_an_invalid_object_says_what_is_wrong(kube: Kube, operator: Operating) -> None:
    async with operator() as op:
        await kube.create(widget("bad", copies="many", colour="blue"), widget("good", text="x"))
        await kube.ready("good")
        await kube.ready("bad", "False", "Invalid")
        accepted = await kube.condition("bad", "Accepted")
        assert accepted["status"] == "False"
        assert accepted["message"].startswith("spec.copies: Input should be a valid integer")
        assert "and 1 more" in accepted["message"]
        assert "Traceback" not in str(await kube.get("Widget", "bad"))
        await op.quiet()
        before = kube.writes()
        await kube.patch("Widget", "bad", {"metadata": {"labels": {"a": "b"}}})
        await kube.patch("Widget", "good", {"metadata": {"labels": {"a": "b"}}})
        await op.quiet()
        assert kube.writes() == before, "a lasting fault is not told again"
        await kube.spec("bad", copies=1, colour=None)
        await kube.ready("bad", "True")


async def test_an_invalid_object_keeps_what_it_has(kube: Kube, operator: Operating) -> None:
    async with operator():
        await kube.create(widget("one", text="x"))
        await kube.ready("one")
        await kube.spec("one", copies="many")
        await kube.ready("one", "False", "Invalid")
        assert await kube.text("one-0") == "x"


async def test_an_object_comes_again_when_it_said_so(kube: Kube, operator: Operating) -> None:
    async with operator():
        await kube.create(widget("one", text="early", until=(now() + timedelta(seconds=3)).isoformat()))
        await kube.says("one-0", "early")
        await kube.says("one-0", "late")


async def test_a_changed_secret_takes_effect_at_once(kube: Kube, operator: Operating) -> None:
    async with operator():
        await kube.create(widget("one", secret="credential"), widget("other", text="x"))
        await kube.ready("one", "False", "SecretNotFound")
        for token in ("first", "second"):
            await kube.secret("credential", token=token)

            async def arrived(token: str = token) -> bool:
                found = await kube.get("ConfigMap", "one-0")
                return bool(found) and found["data"]["token"] == token

            await until(arrived, f"the child has the {token} token", 5)
        await kube.delete("Secret", "credential")
        await kube.ready("one", "False", "SecretNotFound")


async def test_an_object_that_was_needed_wakes_who_needs_it(kube: Kube, operator: Operating) -> None:
    async with operator():
        await kube.create(widget("one", needs="two"))
        await kube.ready("one", "False", "WidgetNotFound")
        await kube.create(widget("two"))
        await kube.ready("one")
        await kube.delete("Widget", "two")
        await kube.ready("one", "False", "WidgetNotFound")


async def test_the_older_claim_wins_and_the_younger_follows_at_once(kube: Kube, operator: Operating) -> None:
    async with operator():
        claim = kube.namespace
        await kube.create(widget("a", text="a", claim=claim))
        await kube.ready("a")
        await kube.create(widget("b", text="b", claim=claim), widget("c", text="c", claim=claim))
        for name in ("b", "c"):
            await kube.ready(name, "False", "Conflicted")
            assert (await kube.condition(name))["message"] == "belongs to a"
        assert await kube.text("b-0") is None
        await kube.delete("Widget", "a")
        await kube.ready("b")
        await kube.says("b-0", "b")
        assert (await kube.ready("c", "False", "Conflicted"))["status"]["conditions"][0]["message"] == "belongs to b"
        await kube.spec("b", claim=None)
        await kube.ready("c")


async def test_two_who_exchange_their_claims_both_end_well(kube: Kube, operator: Operating) -> None:
    async with operator():
        await kube.create(widget("a", claim="x"), widget("b", claim="y"))
        await kube.ready("a")
        await kube.ready("b")
        await kube.spec("a", claim="y")
        await kube.spec("b", claim="x")
        await kube.ready("a")
        await kube.ready("b")


def asked(op: Operator, target: str) -> int:
    return op.scripted.asked.count(target)


async def test_a_check_turns_bad_only_after_its_threshold_and_good_at_once(kube: Kube, operator: Operating) -> None:
    async with operator() as op:
        await kube.create(widget("one", probe="system"))
        await kube.ready("one")
        bad = Outcome(False, "ConnectionRefused", "no answer")
        op.scripted.answers["system"] = bad
        began = asked(op, "system")
        await kube.ready("one", "False", "ConnectionRefused")
        assert asked(op, "system") - began >= 3, "one failure does not count"
        del op.scripted.answers["system"]
        await kube.ready("one")


async def test_a_check_that_fails_now_and_then_never_shows(kube: Kube, operator: Operating) -> None:
    async with operator() as op:
        await kube.create(widget("one", probe="system"))
        await kube.ready("one")
        await op.quiet()
        before = kube.writes()
        for _ in range(3):
            began = asked(op, "system")
            op.scripted.answers["system"] = Outcome(False, "Timeout", "no answer")
            await until(lambda began=began: asked(op, "system") >= began + 1, "asked while it fails")
            del op.scripted.answers["system"]
            again = asked(op, "system")
            await until(lambda again=again: asked(op, "system") >= again + 2, "asked while it works")
        await op.quiet()
        assert kube.writes() == before


async def test_another_target_is_asked_at_once_and_judged_alone(kube: Kube, operator: Operating) -> None:
    async with operator() as op:
        op.scripted.answers["new"] = Outcome(False, "DNSNotFound", "no such host")
        await kube.create(widget("one", probe="old"))
        await kube.ready("one")
        await kube.spec("one", probe="new")
        await kube.ready("one", "False", "DNSNotFound")
        await kube.spec("one", probe=None)
        await kube.ready("one")
        await op.quiet()
        count = len(op.scripted.asked)
        await kube.create(widget("two", probe="other"))
        await until(lambda: asked(op, "other") >= 3, "others are asked")
        assert len(op.scripted.asked) - count == asked(op, "other"), "nobody asks for what is no longer planned"


async def test_events_tell_transitions_and_count_repetitions(kube: Kube, operator: Operating) -> None:
    async with operator() as op:
        await kube.create(widget("one", needs="two"))
        for _ in range(3):
            await kube.ready("one", "False", "WidgetNotFound")
            await kube.create(widget("two"))
            await kube.ready("one")
            await kube.delete("Widget", "two")
        await kube.ready("one", "False", "WidgetNotFound")
        await op.quiet()
        events = {e["reason"]: e for e in await kube.every("Event") if e["regarding"]["name"] == "one"}
        assert events.keys() == {"WidgetNotFound", "Made"}
        lost, made = events["WidgetNotFound"], events["Made"]
        assert (lost["type"], lost["series"]["count"]) == ("Warning", 4)
        assert (made["type"], made["series"]["count"]) == ("Normal", 3)
        assert lost["regarding"]["uid"] == (await kube.get("Widget", "one") or {})["metadata"]["uid"]
        assert lost["reportingController"] == "integration.threehorizons.io"


async def test_a_namespace_whose_systems_hang_delays_no_other(
    server: AuditedApiServer, kube: Kube, operator: Operating
) -> None:
    async with Kube(server, f"{kube.namespace[:50]}-too") as other, operator() as op:
        op.scripted.hangs.add("dead")
        await kube.create(*(widget(f"w{i}", probe="dead", copies=0) for i in range(150)))
        await until(lambda: op.scripted.hanging == WIDTH, "as many as may hang")
        await other.create(*(widget(f"w{i}", probe="alive", copies=0) for i in range(30)))
        for i in range(30):
            await other.ready(f"w{i}")
        assert op.scripted.hanging <= WIDTH
        await kube.ready("w0", "False", "Timeout")
