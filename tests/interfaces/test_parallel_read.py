"""Large bodies that come slowly: the rest by several connections, of one and the same object."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest

from cloudfiles import CloudFiles
from cloudfiles.exceptions import AuthorizationError, ServerError
from cloudfiles.interfaces import parallel_read, throughput_monitor
from cloudfiles.testing import FlipBit, IgnoreRange, Replaced, ResetInBody, Rule, S3Server, SetHeader, s3_error
from cloudfiles.testing.http_messages import ServerRequest
from cloudfiles.testing.s3_objects import make_object
from tests.contents import numbered
from tests.internals import Replace

pytestmark = pytest.mark.one_runtime

PART = 256 << 10
CONTENT = numbered(12 << 20)
"""More than the receive buffers of a connection hold, which may come at once."""


@pytest.fixture(autouse=True)
def _small_sizes(internals: Replace) -> None:
    """What is large for the test is small for the machine, and every connection slow by its clock."""
    clock = itertools.count(1.0)
    internals(throughput_clock=lambda: next(clock), parallel_read_bytes=1 << 20, throughput_warm_up=PART)
    internals(parallel_read_remaining=PART, parallel_read_part=PART)


@pytest.fixture(params=["green", "threads", "inline"])
def cf(request: pytest.FixtureRequest, fault_server: S3Server) -> CloudFiles:
    return CloudFiles(f"s3://{fault_server.url}/bucket/", secrets=fault_server.secrets,
                      green=request.param == "green", num_threads=0 if request.param == "inline" else 20)


def ranges(server: S3Server) -> list[tuple[int, int]]:
    asked = [request.header("range", "-") or "" for request in server.requests("GET", "large")]
    return sorted((int(first), int(last) + 1) for first, last in
                  (value.removeprefix("bytes=").split("-") for value in asked) if last)


def test_the_rest_comes_in_parts_that_fit_together(cf: CloudFiles, fault_server: S3Server) -> None:
    fault_server.put("large", CONTENT)
    [found] = cf.get(["large"])
    assert found["content"] == CONTENT
    assert found.verified == "md5"
    parts = ranges(fault_server)
    assert len(parts) > 2
    assert PART <= parts[0][0] < len(CONTENT)
    assert [first for first, _ in parts[1:]] == [end for _, end in parts[:-1]]
    assert parts[-1][1] == len(CONTENT)
    pinned = [request.header("if-match") for request in fault_server.requests("GET", "large")]
    assert pinned == [None] + [f'"{hashlib.md5(CONTENT).hexdigest()}"'] * len(parts)


@pytest.mark.parametrize(("start", "end"), [(1000, None), (1000, 11 << 20), (-(11 << 20), None), (0, 99 << 20)])
def test_of_a_range_too(cf: CloudFiles, fault_server: S3Server, start: int, end: int | None) -> None:
    fault_server.put("large", CONTENT)
    assert cf["large", start:end] == CONTENT[start:end]
    assert len(ranges(fault_server) if start >= 0 else fault_server.requests("GET", "large")) > 3


def test_a_fast_connection_is_left_alone(cf: CloudFiles, fault_server: S3Server,
                                         internals: Replace) -> None:
    internals(throughput_clock=lambda: 1.0)
    fault_server.put("large", CONTENT)
    assert cf.get("large") == CONTENT
    assert len(fault_server.requests("GET", "large")) == 1


@pytest.mark.parametrize("change", [
    lambda server: server.put("large", CONTENT, etag=""),
    lambda server: (server.put("large", CONTENT),
                    server.script(Rule(SetHeader("etag", 'W/"weak"'), key="large", times=None))),
    lambda server: server.put("large", CONTENT[:1 << 19]),
], ids=["no ETag", "weak ETag", "small"])
def test_what_cannot_be_pinned_or_is_small_stays_whole(cf: CloudFiles, fault_server: S3Server,
                                                       change: Callable[[S3Server], object]) -> None:
    change(fault_server)
    expected = fault_server.contents()["large"]
    assert cf.get("large") == expected
    assert ranges(fault_server) == []


@pytest.mark.parametrize("fault", [ResetInBody(5000), FlipBit(), s3_error(412, "PreconditionFailed"),
                                   s3_error(503, "SlowDown")], ids=lambda fault: type(fault).__name__)
def test_faults_in_a_part(cf: CloudFiles, fault_server: S3Server, fault: object) -> None:
    """A damaged part shows in the digest of the whole, a replaced object in the condition: both are read anew."""
    fault_server.put("large", CONTENT)
    fault_server.script(Rule(fault, key="large", skip=3))
    assert cf.get("large") == CONTENT


def test_an_error_in_a_part_is_raised(cf: CloudFiles, fault_server: S3Server) -> None:
    fault_server.put("large", CONTENT)
    fault_server.script(Rule(s3_error(400, "InvalidRequest"), key="large", skip=3, times=None))
    with pytest.raises(ServerError, match="InvalidRequest"):
        cf.get("large")
    fault_server.script()
    assert cf.get("large") == CONTENT
    assert len(ranges(fault_server)) > 2  # the place was given back


@dataclass(frozen=True)
class Blind(Replaced):
    """The object is replaced after the first answer, and the server does not look at If-Match."""

    def prepare(self, request: ServerRequest) -> ServerRequest:
        return replace(request, headers=tuple(header for header in request.headers if header[0] != "if-match"))

    __hash__ = Replaced.__hash__


def test_parts_of_another_version_are_not_taken(cf: CloudFiles, fault_server: S3Server) -> None:
    """Of a range there is no digest that would show it."""
    fault_server.put("large", CONTENT)
    fault_server.script(Rule(Blind(make_object(CONTENT[::-1])), method="GET", key="large", times=None))
    assert cf["large", 1000:] == CONTENT[::-1][1000:]


def test_a_few_at_a_time(cf: CloudFiles, fault_server: S3Server) -> None:
    keys = [f"large{number}" for number in range(6)]
    fault_server.put_many(dict.fromkeys(keys, CONTENT))
    assert [found["content"] for found in cf.get(keys)] == [CONTENT] * len(keys)


@pytest.mark.parametrize("times", [1, 3])
def test_a_server_that_ignores_some_ranges(cf: CloudFiles, fault_server: S3Server, times: int) -> None:
    fault_server.put("large", CONTENT)
    fault_server.script(Rule(IgnoreRange(), "GET", "large", skip=2, times=times))
    [found] = cf.get(["large"])
    assert found["content"] == CONTENT
    slots = throughput_monitor.parallel_read_slots
    with slots.try_acquire() as first, slots.try_acquire() as second:
        assert (first, second) == (True, True)  # neither slot was kept


def test_a_refused_head_is_explained_by_a_server_that_ignores_ranges(cf: CloudFiles, fault_server: S3Server) -> None:
    fault_server.put("large", CONTENT)
    fault_server.script(Rule(s3_error(403, "AccessDenied"), "HEAD", "large", times=None),
                        Rule(IgnoreRange(), "GET", "large"))
    with pytest.raises(AuthorizationError):
        cf.head("large")


def test_without_a_free_slot_one_connection_reads_on(cf: CloudFiles, fault_server: S3Server,
                                                     monkeypatch: pytest.MonkeyPatch) -> None:
    slots = throughput_monitor.Slots(0)
    monkeypatch.setattr(throughput_monitor, "parallel_read_slots", throughput_monitor.Slots(1))
    monkeypatch.setattr(parallel_read, "parallel_read_slots", slots)  # another body was faster to take the last one
    fault_server.put("large", CONTENT)
    assert cf.get("large") == CONTENT
    first, rest = fault_server.requests("GET", "large")
    assert (first.header("range"), rest.header("if-match")) == (None, f'"{hashlib.md5(CONTENT).hexdigest()}"')


def test_slots_are_given_back() -> None:
    slots = throughput_monitor.Slots(1)
    with pytest.raises(ZeroDivisionError), slots.try_acquire() as acquired, slots.try_acquire() as another:
        assert (acquired, another, slots.any_free) == (True, False, False)
        _ = 1 / 0
    assert slots.any_free
