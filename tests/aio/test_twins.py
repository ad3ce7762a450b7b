"""`AsyncCloudFiles` and `AsyncDataLake` have the methods of `CloudFiles` and `DataLake`, with the same parameters."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from typing import Any

import pytest

from cloudfiles import AsyncCloudFiles, Bucket, CloudFile, CloudFiles, Storage
from cloudfiles.aio import AsyncDataLake, async_runner
from cloudfiles.cloudfiles import CloudFilesOptions, KeywordOptions
from cloudfiles.datalake import DataLake

OPTIONS = {"cloudpath", "composite_upload_threshold", "green", "lock_dir", "locking", "no_sign_request", "num_threads",
           "protocol", "request_payer", "secrets", "sep"}
"""Properties of `CloudFiles`, which `AsyncCloudFiles` has as those of its attribute `sync`."""

NOT_AWAITED = {"join", "abspath", "dirname", "basename", "list", "ls", "find", "stream"}
"""Those that only join or split paths, and those that return an async iterator."""

NO_TWIN = {"open"}
"""File objects block, as what they are passed to expects; a coroutine opens and uses them in a thread."""


def methods(of: type) -> dict[str, Callable[..., Any]]:
    return {name: value for name, value in inspect.getmembers(of, inspect.isfunction) if not name.startswith("_")}


def parameters(method: Callable[..., Any]) -> list[inspect.Parameter]:
    return list(inspect.signature(method).parameters.values())[1:]


PAIRS = [pytest.param(method, methods(twin).get(name), id=method.__qualname__)
         for owner, twin in ((CloudFiles, AsyncCloudFiles), (DataLake, AsyncDataLake))
         for name, method in methods(owner).items() if name not in NO_TWIN]


@pytest.mark.parametrize(("method", "twin"), PAIRS)
def test_every_method_has_an_async_twin_with_the_same_parameters(method: Callable[..., Any],
                                                                 twin: Callable[..., Any] | None) -> None:
    assert twin is not None
    assert [(each.name, each.kind, each.default) for each in parameters(twin)] == [
        (each.name, each.kind, each.default) for each in parameters(method)]
    assert inspect.iscoroutinefunction(twin) != (method.__name__ in NOT_AWAITED)
    assert twin.__doc__


def test_what_is_no_method_is_an_option_of_the_sync_twin() -> None:
    properties = {name for name, _ in inspect.getmembers(CloudFiles, lambda value: isinstance(value, property))}
    assert {name for name in properties if not name.startswith("_")} == OPTIONS


@pytest.mark.parametrize("owner", [CloudFiles, CloudFile, AsyncCloudFiles, DataLake, AsyncDataLake, Bucket, Storage])
def test_every_public_member_is_documented(owner: type) -> None:
    """The API reference shows those that are, and no others."""
    bare = [name for name, value in inspect.getmembers(owner) if not name.startswith("_")
            and (inspect.isfunction(value) or isinstance(value, property)) and not value.__doc__]
    assert bare == []


def accepting_async(annotation: str) -> str:
    """An annotation of a twin as that of the method: only the twin also takes async iterables."""
    for kind in ("ReadRequest", "StrPath", "PutRequest", "RawPutRequest"):
        annotation = annotation.replace(f" | AsyncIterable[{kind}]", "")
    return annotation


def shape(overload: Callable[..., Any]) -> tuple[list[tuple[Any, ...]], str]:
    signature = inspect.signature(overload)
    return ([(each.name, each.kind, each.default, accepting_async(each.annotation))
             for each in list(signature.parameters.values())[1:]],
            signature.return_annotation.replace("builtins.", ""))


@pytest.mark.skipif(sys.version_info < (3, 11), reason="Python 3.10 keeps no overloads at run time")
@pytest.mark.parametrize(("method", "twin"), PAIRS)
def test_twins_have_the_same_overloads(method: Callable[..., Any], twin: Callable[..., Any]) -> None:
    from typing import get_overloads

    if twin.__module__ == async_runner.__name__:
        return  # made by `awaited` or `iterated`: type checkers derive its overloads from those of the method
    assert [shape(each) for each in get_overloads(twin)] == [shape(each) for each in get_overloads(method)]


@pytest.mark.skipif(sys.version_info < (3, 11), reason="Python 3.10 keeps no overloads at run time")
@pytest.mark.parametrize("method", [*methods(CloudFiles).values(), *methods(CloudFile).values()],
                         ids=lambda method: method.__qualname__)
def test_overloads_have_the_parameters_and_defaults_of_their_method(method: Callable[..., Any]) -> None:
    from typing import get_overloads

    known = {each.name: each.default for each in parameters(method)}
    order = list(known)
    further = any(each.kind is each.VAR_KEYWORD for each in parameters(method))  # for those of put_jsons
    for overload in get_overloads(method):
        names = [each.name for each in parameters(overload)]
        assert [name for name in names if name in known] == [name for name in order if name in names]
        assert further or set(names) == set(known)
        assert all(each.default == known[each.name] for each in parameters(overload)
                   if each.name in known and each.default is not each.empty)


@pytest.mark.parametrize(("method", "twin"), [
    pytest.param(getattr(CloudFiles, name), getattr(CloudFile, name), id=name) for name in ("put", "put_json")])
def test_the_writing_methods_of_a_cloudfile_lack_only_the_path(method: Callable[..., Any], twin: Callable[..., Any]
                                                              ) -> None:
    assert [str(each) for each in parameters(twin)] == [str(each) for each in parameters(method)[1:]]


def test_the_typed_options_are_those_of_the_constructors() -> None:
    of_many = set(inspect.signature(CloudFiles).parameters) - {"cloudpath"}
    assert CloudFilesOptions.__optional_keys__ == of_many
    of_one = set(inspect.signature(CloudFile).parameters) - {"path", "cache_meta", "options"}
    assert KeywordOptions.__optional_keys__ == of_many - of_one
