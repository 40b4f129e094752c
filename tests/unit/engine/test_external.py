"""The record of things in outside systems."""

from integration_operator.core.crd import structural, unbounded
from integration_operator.core.model import ExternalStatus
from integration_operator.core.plan import External
from integration_operator.engine.external import Record, as_status, leaving, recorded, records

PLANNED = (External("nats", "shop.orders", object(), delete=True, system="shop/hub"), External("nats", "b", object()))


def test_what_is_recorded_is_read_again() -> None:
    written = as_status(records(PLANNED))
    assert recorded({"status": written}) == records(PLANNED)
    assert recorded({}) == ()
    assert as_status(()) == {}, "a kind without such things has no such field"


def test_an_external_status_takes_the_record_and_so_does_its_crd() -> None:
    written = as_status(records(PLANNED))
    assert ExternalStatus.model_validate(written).external[0].system == "shop/hub"
    schema = structural(ExternalStatus.model_json_schema(by_alias=True))
    assert unbounded(schema, "status") == []
    assert schema["properties"]["external"]["items"]["properties"].keys() == set(Record._fields)


def test_another_key_system_or_driver_is_another_thing_and_another_policy_is_not() -> None:
    before = (Record("nats", "shop/hub", "a", True),)
    assert leaving(before, [Record("nats", "shop/hub", "a", False)]) == ()
    for other in (("nats", "shop/hub", "b"), ("nats", "shop/other", "a"), ("kafka", "shop/hub", "a")):
        assert leaving(before, [Record(*other, True)]) == before
