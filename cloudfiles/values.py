"""Bases of values that are passed between the layers, for modules that every program needs.

Importing `dataclasses` (and with it `inspect`) and generating the methods of each class takes as long as a first
request. A `typing.NamedTuple` compiles each annotation, which takes two thirds of the time to create the class.
"""

from __future__ import annotations

from collections import namedtuple
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

if TYPE_CHECKING:
    from typing import NamedTuple as NamedTuple

    from typing_extensions import dataclass_transform
else:
    def dataclass_transform(**_: Any) -> Any:
        return lambda cls: cls

    class _TupleType(type):
        def __new__(cls, name: str, bases: tuple[type, ...], namespace: dict[str, Any]) -> type:
            if not bases:
                return super().__new__(cls, name, bases, namespace)
            fields = namespace["__annotations__"]
            made = namedtuple(name, fields, module=namespace["__module__"],
                              defaults=[namespace[field] for field in fields if field in namespace])
            for attribute in namespace.keys() - fields.keys():
                setattr(made, attribute, namespace[attribute])
            return made

    class NamedTuple(metaclass=_TupleType):
        """As `typing.NamedTuple`; the annotations stay strings."""

V = TypeVar("V", bound="Value")


@dataclass_transform(frozen_default=True)
class Value:
    """An object that is described by the annotated attributes of its class, as a frozen dataclass is.

    Its methods are common to all classes, and so are slower.
    """

    _fields: ClassVar[tuple[str, ...]] = ()
    _defaults: ClassVar[dict[str, Any]] = {}
    _hidden: ClassVar[frozenset[str]] = frozenset()
    """Attributes that are not shown by `repr`."""

    def __init_subclass__(cls) -> None:
        own = (name for name in cls.__annotations__ if not name.startswith("_"))
        cls._fields = tuple(dict.fromkeys((*cls._fields, *own)))
        cls._defaults = {**cls._defaults, **{name: cls.__dict__[name] for name in cls._fields if name in cls.__dict__}}
        for name in cls._defaults.keys() & cls.__dict__.keys():
            delattr(cls, name)  # attributes of objects are found in half the time if their class has none of that name

    def __init__(self, *values: Any, **named: Any) -> None:
        if len(values) > len(self._fields):
            raise TypeError(f"{type(self).__name__} has {len(self._fields)} attributes, got {len(values)} values")
        for name, value in zip(self._fields, values, strict=False):
            if name in named:
                raise TypeError(f"{type(self).__name__}: {name} is given twice")
            named[name] = value
        for name in self._fields:
            if name not in named and name not in self._defaults:
                raise TypeError(f"{type(self).__name__}: {name} is missing")
            self.__dict__[name] = named.pop(name) if name in named else self._defaults[name]
        if named:
            raise TypeError(f"{type(self).__name__} has no {', '.join(named)}")
        self.__post_init__()

    def __post_init__(self) -> None:
        """Checks of subclasses."""

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(self._defaults)  # an older version may not have had all attributes
        self.__dict__.update(state)

    def __eq__(self, other: object) -> bool:
        return self.__dict__ == other.__dict__ if type(other) is type(self) else NotImplemented

    def __hash__(self) -> int:
        return hash(tuple(self.__dict__.values()))

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={getattr(self, name)!r}" for name in self._fields if name not in self._hidden)
        return f"{type(self).__name__}({shown})"

    def replace(self: V, **changes: Any) -> V:
        """A copy with some attributes changed."""
        return type(self)(**{**self.__dict__, **changes})
