"""The collections in the order of beanstalkd."""

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobqueue.devserver.ordering import Queue, Rotation

KEYS = st.integers(0, 5)


STEPS = st.lists(st.tuples(st.booleans(), st.integers(0, 9), KEYS), max_size=300)


@given(STEPS)
def test_queue_by_key(
    steps: Iterable[tuple[bool, int, int]],
) -> None:
    queue: Queue[str] = Queue()
    model: dict[str, tuple[int, int]] = {}
    for is_added, number, key in steps:
        item = f"item {number}"
        if is_added:
            queue.add(item, (key, number))
            model[item] = (key, number)
        else:
            queue.discard(item)
            model.pop(item, None)

        first = min(model, key=lambda item: model[item], default=None)
        assert queue.first() == first
        assert queue.first_key() == (model[first][0] if first else None)
        assert len(queue) == len(model)


def test_queue_does_not_grow_by_moves() -> None:
    queue: Queue[str] = Queue()
    queue.add("always first", (-1, 0))
    for key in range(10_000):
        queue.add("moved", (key % 7, 1))
        if key % 3 == 0:
            queue.discard("moved")

    assert len(queue._heap) < 100


@given(st.lists(st.one_of(st.none(), st.integers(0, 9))))
def test_rotation(
    steps: Iterable[int | None],
) -> None:
    """The last item takes the position of one that is taken out."""
    rotation: Rotation[int] = Rotation()
    model: list[int] = []
    turn = 0
    for item in steps:
        if item is None and model:
            turn %= len(model)
            assert rotation.take() == model[turn]
            model[turn] = model[-1]
            model.pop()
            turn += 1
        elif item in model:
            rotation.discard(item)
            model[model.index(item)] = model[-1]
            model.pop()
        elif item is not None:
            rotation.append(item)
            model.append(item)

        assert list(rotation) == model
        assert all(item in rotation for item in model)


def test_take_from_an_empty_rotation() -> None:
    with pytest.raises(IndexError):
        Rotation[int]().take()


def test_queue_does_not_keep_what_was_taken_out() -> None:
    queue: Queue[str] = Queue()
    for number in range(1_000):
        queue.add(f"item {number}", (number, number))
    for number in range(1, 1_000):
        queue.discard(f"item {number}")

    assert len(queue._heap) < 100
