"""Listings side by side: the pages are always those of the listing one by one, whatever the server does."""

from __future__ import annotations

import itertools
import random
import re
from bisect import bisect_right
from collections.abc import Callable, Sequence
from itertools import islice
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks import key_shapes
from cloudfiles.batch import key_fields
from cloudfiles.batch.key_fields import FieldScale, KnownFields
from cloudfiles.batch.key_scale import KeyScale
from cloudfiles.batch.lister import CONCURRENT_LISTS
from cloudfiles.batch.listing_plan import MAX_PAGES_AHEAD, ListingPlan, PageRequest
from cloudfiles.exceptions import ProtocolError, ServerError
from cloudfiles.types import ListEntry, ListPage
from tests.selection import examples, some

Order = Callable[[str], Any]


class Server:
    """Lists keys in an order of its own, of which `start_after` is a position.

    Attributes:
        requests: those so far.
        start_after: what the server makes of this parameter.

    empty_pages: one page in this many is empty and has a token, as after many deletes; 0: none.
    """

    def __init__(self, keys: Sequence[str], page_size: int = 1000, order: Order = str,
                 start_after: Callable[[str], str | None] = str, empty_pages: int = 0) -> None:
        self._order = order
        self._empty_pages = empty_pages
        self.keys = sorted(set(keys), key=order)
        self._page_size = page_size
        self.start_after = start_after
        self.requests: list[PageRequest] = []
        self._known: dict[tuple[str, bool], list[str]] = {}

    def list_page(self, request: PageRequest) -> ListPage:
        self.requests.append(request)
        names = self._known.get((request.prefix, request.flat)) or self._names(request.prefix, request.flat)
        after = request.start_after if request.start_after is None else self.start_after(request.start_after)
        at = 0
        if request.token is not None:
            at = int(request.token.partition("/")[0])
        elif after is not None:
            at = bisect_right(names, self._order(after), key=self._order)
        if self._empty_pages and len(self.requests) % self._empty_pages == 0:
            return ListPage([], [], f"{at}/{len(self.requests)}")
        page = names[at:at + self._page_size]
        entries = [ListEntry(key, len(key)) for key in page if not (request.flat and key.endswith("/"))]
        more = at + self._page_size < len(names)
        return ListPage(entries, [name for name in page if request.flat and name.endswith("/")],
                        str(at + self._page_size) if more else None)

    def _names(self, prefix: str, flat: bool) -> list[str]:
        found = [key for key in self.keys if key.startswith(prefix)]
        if flat:
            found = list(dict.fromkeys(prefix + re.sub(r"(?s)/.*", "/", key[len(prefix):]) for key in found))
        self._known[prefix, flat] = found
        return found

    def one_by_one(self, prefix: str = "", flat: bool = False, token: str | None = None) -> list[str]:
        found: list[str] = []
        while True:
            page = self.list_page(PageRequest(None, prefix, flat, None, token))
            found += names_of(page)
            if page.next_token is None:
                return found
            token = page.next_token


def names_of(page: ListPage) -> list[str]:
    return sorted([entry.key for entry in page.entries] + page.prefixes) if page.prefixes else [
        entry.key for entry in page.entries]


class Listing:
    """Runs a plan against a server, which answers up to `width` requests in an order given by `choose`.

    Attributes:
        tokens: the token of each page that was taken.
        rounds: how many round trips it takes if each takes the same time.
        most_ahead: the largest number of pages in memory.
    """

    def __init__(self, server: Server, prefix: str = "", *, flat: bool = False, token: str | None = None,
                 width: int = 16, choose: Callable[[int], int] = lambda count: 0) -> None:
        self._server = server
        self._plan = ListingPlan(prefix, flat=flat, token=token)
        self._width = width
        self._choose = choose
        self._token = token
        self.tokens: list[str | None] = []
        self.found: list[str] = []
        self.rounds = self.most_ahead = 0
        self._limit = 100 + 5 * len(server.keys)

    def run(self, stop_after: int | None = None) -> list[str]:
        pending: list[PageRequest] = []
        while not self._plan.is_finished and (stop_after is None or len(self.tokens) < stop_after):
            while len(pending) < self._width and (request := self._plan.next_request()) is not None:
                pending.append(request)
            assert pending, "the plan waits for nothing"
            self.most_ahead = max(self.most_ahead, len(pending) + sum(len(each.pages) for each in self._plan._ranges))
            request = pending.pop(self._choose(len(pending)))
            assert len(self._server.requests) <= self._limit, "the listing makes no progress"
            try:
                page = self._server.list_page(request)
            except ServerError as error:
                self._plan.failed(request, error)
            else:
                self._plan.arrived(request, page)
            self._take()
        return self.found

    def run_in_rounds(self) -> list[str]:
        """All pending requests are answered at once."""
        while not self._plan.is_finished:
            pending: list[PageRequest] = []
            while len(pending) < self._width and (request := self._plan.next_request()) is not None:
                pending.append(request)
            assert pending
            self.rounds += 1
            for request in pending:
                self._plan.arrived(request, self._server.list_page(request))
            self._take()
        return self.found

    def _take(self) -> None:
        while (page := self._plan.take()) is not None:
            self.tokens.append(self._token)
            self.found += names_of(page)
            self._token = page.next_token


# ---- whatever the keys are, and the server does

CHARACTERS = st.sampled_from("ab019/-.%+ \x01\x7f\xe9\u1234\ud7ff\ue000\uffee\U0001f600\U0010fffd")
KEYS = st.one_of(
    st.text(CHARACTERS, min_size=1, max_size=6),
    st.integers(0, 3000).map("k{:05}".format),
    st.integers(0, 3000).map("d/{}".format),
    st.tuples(st.integers(0, 12), st.integers(0, 31)).map(lambda date: "2024/{:02}/{:02}/x".format(*date)),
    st.tuples(st.integers(0, 4), st.integers(0, 4), st.integers(0, 4)).map(lambda axes: "d/{}0-{}_{}".format(*axes)),
    st.integers(0, 2**64).map("{:016x}".format))
KEY_SETS = st.lists(KEYS, max_size=150)


def by_component(key: str) -> Any:
    """As programs list that walk through directories."""
    return [part.encode("utf-8", "surrogatepass") for part in key.split("/")]


def shuffled(key: str) -> Any:
    return random.Random(key).random()


ORDERS = {"key": str, "component": by_component, "shuffled": shuffled, "reversed": lambda key: [-ord(c) for c in key]}
LIES: dict[str, Callable[[str], str | None]] = {
    "honored": str, "ignored": lambda key: None, "cut": lambda key: key[:2], "rounded": lambda key: key + "0",
    "empty": lambda key: "\U0010ffff"}


@settings(max_examples=examples(400), deadline=None)
@given(keys=KEY_SETS, page_size=st.integers(1, 20), width=st.integers(1, 16), data=st.data(), flat=st.booleans(),
       order=st.sampled_from(sorted(ORDERS)), lie=st.sampled_from(sorted(LIES)), prefix=st.sampled_from(["", "d/"]),
       empty_pages=st.sampled_from([0, 0, 2, 3, 5]))
def test_nothing_is_lost_or_doubled(keys: list[str], page_size: int, width: int, data: st.DataObject, flat: bool,
                                    order: str, lie: str, prefix: str, empty_pages: int) -> None:
    if flat and order != "key":
        order = "key"
    server = Server(keys, page_size, ORDERS[order], LIES[lie], empty_pages)
    listing = Listing(server, prefix, flat=flat, width=width,
                      choose=lambda count: data.draw(st.integers(0, count - 1)))
    assert listing.run() == server.one_by_one(prefix, flat)
    assert listing.most_ahead <= MAX_PAGES_AHEAD + 1


@settings(max_examples=examples(200), deadline=None)
@given(keys=KEY_SETS, page_size=st.integers(1, 20), flat=st.booleans(), stop=st.integers(1, 20))
def test_it_continues_with_any_token(keys: list[str], page_size: int, flat: bool, stop: int) -> None:
    server = Server(keys, page_size)
    whole = Listing(server, flat=flat)
    first = Listing(server, flat=flat)
    begun = first.run(stop_after=stop)
    if first._token is not None:
        begun = begun + Listing(server, flat=flat, token=first._token).run()
    assert begun == whole.run() == server.one_by_one(flat=flat)


@settings(max_examples=examples(200), deadline=None)
@given(keys=KEY_SETS, page_size=st.integers(1, 20), data=st.data())
def test_objects_that_come_and_go(keys: list[str], page_size: int, data: st.DataObject) -> None:
    """Those that were there all the time are listed, once."""
    server = Server(keys, page_size)
    stable = {key for key in server.keys if hash(key) % 3}
    others = [key for key in server.keys if key not in stable]
    tokens_are_positions(server)

    def choose(count: int) -> int:
        server._known.clear()
        server.keys = sorted(stable | {key for key in others if data.draw(st.booleans())})
        return data.draw(st.integers(0, count - 1))

    found = Listing(server, choose=choose).run()
    assert sorted(set(found)) == found
    assert stable <= set(found)


def tokens_are_positions(server: Server) -> None:
    """Let tokens name the last key, as they do where objects come and go, instead of its number."""
    list_page = server.list_page

    def by_position(request: PageRequest) -> ListPage:
        page = list_page(request._replace(token=None, start_after=request.token or request.start_after))
        return page if page.next_token is None else page._replace(next_token=names_of(page)[-1])

    server.list_page = by_position  # type: ignore[method-assign]


def test_errors_of_ranges_ahead_do_not_count() -> None:
    """The listing goes on with the token of the last page; only its own error is raised, after the pages before it."""
    server = Server([f"{i:05}" for i in range(3000)], 100)
    list_page = server.list_page

    def refusing(request: PageRequest) -> ListPage:
        if request.start_after is not None:
            raise ServerError("start-after is not supported", status=400)
        if request.token == "2000":
            raise ServerError("broken", status=500)
        return list_page(request)

    server.list_page = refusing  # type: ignore[method-assign]
    listing = Listing(server)
    with pytest.raises(ServerError, match="broken"):
        listing.run()
    assert listing.found == server.keys[:2000]


@pytest.mark.parametrize("empty_pages", [2, 3])
def test_empty_pages_do_not_stop_the_listing(empty_pages: int) -> None:
    """As many as there may be in advance, in a range that the one before waits for."""
    server = Server([f"{i:05}" for i in range(3000)], 10, empty_pages=empty_pages)
    choose = random.Random(1).randrange
    assert Listing(server, choose=choose).run() == server.keys


def test_a_listing_that_does_not_end_is_an_error() -> None:
    server = Server([f"{i:05}" for i in range(3000)], 100, start_after=lambda key: None)
    list_page = server.list_page
    server.list_page = lambda request: list_page(request._replace(token=request.token and "100"))  # type: ignore
    with pytest.raises(ProtocolError, match="does not end"):
        Listing(server).run()


def test_resuming_where_start_after_is_ignored_is_an_error() -> None:
    keys = [f"{i:05}" for i in range(3000)]
    listing = Listing(Server(keys, 100))
    listing.run(stop_after=10)
    token = next(token for token in listing.tokens if token is not None and not token.isdigit())
    with pytest.raises(ProtocolError, match="cannot be resumed"):
        Listing(Server(keys, 100, start_after=lambda key: None), token=token).run()


# ---- what it costs

SCRIPTS = ["abcdefghijäöü", "αβγδεζηθ", "あいうえおか", "😀😁😂😃"]

KINDS: dict[str, Callable[[random.Random], list[str]]] = {
    "digits": lambda r: [f"{i:09}" for i in range(200_000)],
    "hex": lambda r: [f"{r.getrandbits(128):032x}" for _ in range(200_000)],
    "words": lambda r: ["".join(r.choices("abcdefghijklmnopqrstuvwxyz", k=8)) for _ in range(200_000)],
    "unpadded": lambda r: [f"img_{i}.jpg" for i in range(200_000)],
    "hashed directories": lambda r: [f"{h[:2]}/{h[2:4]}/{h}" for h in (f"{r.getrandbits(64):016x}"
                                                                       for _ in range(200_000))],
    "dates": lambda r: [f"logs/2024/{m:02}/{d:02}/{h:02}/host-{k:03}.gz" for m in range(1, 13) for d in range(1, 29)
                        for h in range(24) for k in range(25)],
    "dates in names": lambda r: [f"2024-{m:02}-{d:02}T{h:02}:{k:02}.gz" for m in range(1, 13) for d in range(1, 29)
                                 for h in range(24) for k in range(25)],
    "many directories": lambda r: [f"train/n{n:08}/n{n:08}_{i}.JPEG"
                                   for n in r.sample(range(1_440_764, 15_075_141), 200)
                                   for i in range(r.randrange(200, 1800))],
    "irregular directories": lambda r: list(islice(key_shapes.directories(r), 200_000)),
    "one large directory": lambda r: [f"set/{d:04}/{each:012x}" for d in range(400)
                                      for each in r.sample(range(2**48), 190_000 if d == 213 else 25)],
    "few directories": lambda r: [f"{name}/{i:07}" for name in ("raw", "test", "train", "zz") for i in range(50_000)],
    "small directories": lambda r: [f"{r.getrandbits(32):08x}/{name}" for _ in range(50_000) for name in "abcd"],
    "several scripts": lambda r: ["".join(r.choices(r.choice(SCRIPTS), k=10))
                                  for _ in range(200_000)],
    "nested grid": lambda r: [f"data/s0/{x}/{y}/{z}" for x in range(60) for y in range(60) for z in range(55)],
    "partitions": lambda r: [f"t/year={y}/month={m}/day={d}/part-{k:05}-{r.getrandbits(64):016x}.parquet"
                             for y in range(2015, 2025) for m in range(1, 13) for d in range(1, 29) for k in range(60)],
    "grid": lambda r: [f"1_1_40/{x * 64}-{x * 64 + 64}_{y * 64}-{y * 64 + 64}_{z * 16}-{z * 16 + 16}"
                       for x in range(50) for y in range(50) for z in range(80)],
    "numbered grid": lambda r: [f"c-{x}-{y}-{z}" for x in range(60) for y in range(60) for z in range(55)],
    "sparse grid": lambda r: [f"{x * 64}-{x * 64 + 64}_{y * 64}-{y * 64 + 64}_{z * 64}-{z * 64 + 64}"
                              for x in range(80) for y in range(80) for z in range(80)
                              if (x - 40) ** 2 + (y - 40) ** 2 + (z - 40) ** 2 < 1300],
    "frames": lambda r: [f"frame_{i}_camera_{each}.png" for i in range(20_000) for each in range(10)],
}


EVEN = {"digits", "hex", "words", "unpadded", "small directories"}
LEAST_GAIN = dict.fromkeys(KINDS, 5.0) | dict.fromkeys(EVEN, 15.0) | {
    "several scripts": 10.0, "hashed directories": 14.0, "few directories": 13.0, "many directories": 9.5,
    "one large directory": 13.0, "irregular directories": 9.0, "dates": 14.0, "nested grid": 14.0, "partitions": 14.0,
    "dates in names": 7.0, "grid": 14.0, "numbered grid": 14.0, "frames": 12.0}
MOST_REQUESTS = dict.fromkeys(KINDS, 2.0) | dict.fromkeys(EVEN, 1.2) | {
    "digits": 1.07, "one large directory": 1.2, "dates": 1.2, "nested grid": 1.3, "partitions": 1.25, "grid": 1.25,
    "numbered grid": 1.2, "frames": 1.2}
"""How many times as fast as one page after another, and the requests for each page."""


@pytest.mark.parametrize("kind", some(KINDS, ["few directories"]))
def test_what_a_listing_costs(kind: str) -> None:
    """Where the keys are consecutive, hardly more requests than pages; where they are spread evenly, or directories are
    alike, a fifth or a quarter more; elsewhere, wrong estimates cost at most as many requests as there are pages."""
    server = Server(KINDS[kind](random.Random(1)))
    pages = -(-len(server.keys) // 1000)
    listing = Listing(server, width=CONCURRENT_LISTS)
    assert listing.run_in_rounds() == server.keys
    assert listing.rounds <= pages / LEAST_GAIN[kind]
    assert len(server.requests) <= pages * MOST_REQUESTS[kind]


def test_few_pages_in_advance_for_a_consumer_that_stops() -> None:
    server = Server([f"{i:05}" for i in range(50_000)])
    listing = Listing(server, width=1)
    listing.run(stop_after=1)
    assert len(server.requests) == 1
    plan = ListingPlan()
    first = plan.next_request()
    assert first is not None
    assert plan.next_request() is None  # one page may be all
    plan.arrived(first, server.list_page(first))
    assert plan.take() is not None
    assert sum(plan.next_request() is not None for _ in range(20)) == 4


def test_long_ranges_are_split_while_the_pages_behind_wait() -> None:
    """Most keys are where an estimate expects few."""
    keys = [f"{i:06}" for i in range(20_000)] + [f"01{i:05}" for i in range(100_000)] + [
        f"{i:06}" for i in range(20_000, 60_000)]
    server = Server(keys)
    listing = Listing(server)
    assert listing.run_in_rounds() == server.keys
    assert listing.rounds <= 25
    assert listing.most_ahead <= MAX_PAGES_AHEAD + 1


# ---- positions


@settings(max_examples=examples(300), deadline=None)
@given(keys=st.sets(KEYS, min_size=2, max_size=60), count=st.floats(0.5, 10_000), key=KEYS)
def test_positions_are_valid_and_behind_the_key(keys: set[str], count: float, key: str) -> None:
    prefix = key[:1] if all(each.startswith(key[:1]) for each in keys) else ""
    position = KeyScale(sorted(keys), prefix).beyond(key, count)
    if position is not None:
        assert position > key
        assert position.startswith(prefix)
        position.encode()  # valid UTF-8


FIELD = st.text(st.sampled_from("019a-\xe9\udce9\U0001f600"), min_size=1, max_size=3)


@settings(max_examples=examples(300), deadline=None)
@given(axes=st.lists(st.sets(FIELD, min_size=1, max_size=6), min_size=2, max_size=3), data=st.data(),
       count=st.floats(0.5, 1000), key=FIELD, directory=st.sampled_from(["", "d/"]))
def test_positions_by_fields_are_valid_and_behind_the_key(axes: list[set[str]], data: st.DataObject, count: float,
                                                          key: str, directory: str) -> None:
    keys = sorted(directory + "_".join(values) for values in itertools.product(*axes))
    prefix = keys[0][:data.draw(st.integers(0, len(directory) + 1))]
    keys = [each for each in keys if each.startswith(prefix)]
    known, position = KnownFields(), None
    for at in range(0, len(keys), 10):
        page = keys[at:at + 10]
        fields = known.learn(page, keys[at - 1] if at else None)
        if fields is not None and len(page) > 1:
            for start in (prefix + key, data.draw(st.sampled_from(keys))):
                position = FieldScale(page, prefix, None, fields).beyond(start, count)
                if position is not None:
                    assert position > start
                    assert position.startswith(prefix)
                    position.encode()  # valid UTF-8


def test_what_comes_later_in_a_grid() -> None:
    """The axis that grows last has few known values, all of which the other axis has."""
    keys = sorted(f"g/{x * 64}-{x * 64 + 64}_{y * 64}-{y * 64 + 64}_{z}" for x in range(9) for y in range(9)
                  for z in range(10))
    known = KnownFields()
    for at in range(0, 200, 20):
        fields = known.learn(keys[at:at + 20], keys[at - 1] if at else None)
    assert fields is not None
    assert [fields.beyond(keys[195], steps) for steps in (1, 15, 100, 600)] == [
        keys[196], keys[210], keys[295], keys[795]]
    assert fields.beyond(keys[195], 900) is None


def test_fields_of_too_many_values_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(key_fields, "_MAX_VALUES", 100)
    known = KnownFields()
    keys = [f"{number:04}_{letter}" for number in range(150) for letter in "abcdefgh"]
    found = [known.learn(keys[at:at + 80], None) is not None for at in range(0, len(keys), 80)]
    assert found == [True] * 10 + [False] * 5
    assert Listing(Server(keys, 20)).run_in_rounds() == keys


def test_keys_of_many_digits() -> None:
    """As a number, such a key is greater than any float."""
    keys = [f"{'7' * 800}{i:05}" for i in range(100, 200)]
    scale = KeyScale(keys, "")
    assert scale.beyond(keys[-1], 20) == f"{'7' * 800}00219"
    assert scale.between("", keys[-1]) > 0
    server = Server([f"{i}{'7' * i}{j:02}" for i in range(900) for j in range(10)], page_size=100)
    assert Listing(server).run_in_rounds() == server.keys


def test_undecodable_keys_give_valid_positions() -> None:
    keys = [f"k\udcff{i}\udce9" for i in range(10, 99)]
    position = KeyScale(keys, "").beyond(keys[-1], 20)
    assert position is None or position.encode()
