"""`Value` and `NamedTuple`: what dataclasses and `typing.NamedTuple` do, in less time."""

from __future__ import annotations

import pickle
from typing import Any

import pytest

from cloudfiles.types import StoreOptions, Tls
from cloudfiles.values import NamedTuple, Value


class Pair(NamedTuple):
    """Two numbers."""

    x: int
    y: int = 2

    @property
    def total(self) -> int:
        return self.x + self.y


def test_named_tuples() -> None:
    pair = Pair(1)
    assert (pair, pair.total, Pair(y=4, x=1).total, Pair._fields) == ((1, 2), 3, 5, ("x", "y"))
    assert pair._replace(x=5) == Pair(5, 2) == Pair._make([5, 2])
    assert (repr(pair), Pair.__doc__, Pair.__module__, Pair.__qualname__) == (
        "Pair(x=1, y=2)", "Two numbers.", __name__, "Pair")
    assert type(pickle.loads(pickle.dumps(pair))) is Pair
    assert Pair.__annotations__ == {"x": "int", "y": "int"}
    with pytest.raises(TypeError):
        Pair()  # type: ignore[call-arg]


class Point(Value):
    x: int
    y: int = 2


class Named(Point):
    _hidden = frozenset({"secret"})

    name: str = ""
    secret: str = "hidden"

    def __post_init__(self) -> None:
        if self.x < 0:
            raise ValueError("negative")


def test_attributes_are_given_by_place_or_name_or_have_a_default() -> None:
    assert (Point(1).x, Point(1).y, Point(1, 3).y, Point(y=4, x=1).y) == (1, 2, 3, 4)
    assert vars(Named(1, name="n")) == {"x": 1, "y": 2, "name": "n", "secret": "hidden"}


def test_attributes_that_a_pickle_does_not_have() -> None:
    older = Named.__new__(Named)
    vars(older).update(x=1, name="n")
    assert pickle.loads(pickle.dumps(older)) == Named(1, name="n")


@pytest.mark.parametrize(("values", "named"), [((), {}), ((1, 2, 3), {}), ((1,), {"x": 1}), ((1,), {"z": 1})])
def test_wrong_attributes(values: Any, named: Any) -> None:
    with pytest.raises(TypeError, match="Point"):
        Point(*values, **named)


def test_equality() -> None:
    assert Point(1) == Point(1, 2)
    assert Point(1) != Point(2)
    assert Point(1) != Named(1)
    assert Point(1) != (1, 2)
    assert len({Point(1), Point(1, 2), Point(3)}) == 2


def test_copies_are_checked() -> None:
    assert Named(1).replace(x=2, name="n") == Named(2, 2, "n")
    with pytest.raises(ValueError, match="negative"):
        Named(1).replace(x=-1)


def test_the_repr_hides_secrets() -> None:
    assert repr(Named(1, name="n")) == "Named(x=1, y=2, name='n')"
    assert "private" not in repr(StoreOptions(secrets={"AWS_SECRET_ACCESS_KEY": "private"}))


def test_pickles() -> None:
    options = StoreOptions(tls=Tls(ca_bundle="x"), endpoint="http://h")
    assert pickle.loads(pickle.dumps(options)) == options
