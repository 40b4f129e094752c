from hypothesis import given
from hypothesis import strategies as st

from integration_operator.core.ports import Key
from integration_operator.engine.objects import Dependencies, object_dependency

KEYS = [Key("Widget", "default", name) for name in "abc"]
THINGS = [object_dependency("v1", "Secret", "default", str(number)) for number in range(3)]


@given(st.lists(st.tuples(st.sampled_from(KEYS), st.sets(st.sampled_from(THINGS)))))
def test_the_readers_of_a_thing_are_those_that_read_it_last(looks: list[tuple[Key, set[tuple[str, ...]]]]) -> None:
    dependencies = Dependencies()
    last: dict[Key, set[tuple[str, ...]]] = {}
    for key, read in looks:
        dependencies.remember(key, read)
        last[key] = read
    for thing in THINGS:
        readers = list(dependencies.readers(thing))
        assert len(readers) == len(set(readers))
        assert set(readers) == {key for key, read in last.items() if thing in read}
