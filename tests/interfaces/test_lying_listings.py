"""Listings that lie: foreign keys, ignored delimiters, tokens that repeat, pages that never end. On every cloud."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

import pytest

from cloudfiles.exceptions import ProtocolError, ServerError
from cloudfiles.interfaces.base import Interface
from cloudfiles.interfaces.paging import CycleDetector, DuplicateFilter
from cloudfiles.testing import Fault, Rule, S3Server
from cloudfiles.transfer.listing_merge import merge_listings
from cloudfiles.types import ListEntry, ListPage, WriteOptions
from tests.interfaces import s3_setup
from tests.interfaces.clouds import KEYS, Cloud
from tests.interfaces.s3_setup import in_worker, open_s3
from tests.internals import Replace
from tests.servers.lies import AsStatus, Both, IgnoreQuery, Reworded, SetQuery, WithBody, portal


def test_what_is_true_is_listed(cloud: Cloud) -> None:
    assert sorted(cloud.list()) == ["a", "b", "sub/c"]
    assert cloud.list("sub") == ["sub/c"]


def test_keys_outside_the_prefix_are_an_error(cloud: Cloud) -> None:
    cloud.lies(IgnoreQuery((cloud.names["prefix"],)))
    with pytest.raises(ProtocolError, match="does not honor the prefix"):
        cloud.list()


def test_a_mangled_prefix_is_an_error(cloud: Cloud) -> None:
    cloud.lies(SetQuery(cloud.names["prefix"], "dir"))
    with pytest.raises(ProtocolError, match=r"'dir2/d'|the server listed 'dir'"):
        cloud.list()


def test_a_prefix_below_the_cloudpath_counts_too(cloud: Cloud) -> None:
    cloud.lies(SetQuery(cloud.names["prefix"], "dir/"))
    with pytest.raises(ProtocolError, match="'dir/a'"):
        cloud.list("sub")


def test_an_ignored_token_does_not_list_for_ever(cloud: Cloud) -> None:
    cloud.lies(IgnoreQuery((cloud.names["token"],)))
    with pytest.raises(ProtocolError, match="does not end"):
        cloud.list()
    assert len(cloud.server.requests()) <= 3


def test_existence_is_not_checked_for_ever(cloud: Cloud) -> None:
    from cloudfiles.batch import existence
    from cloudfiles.batch.fanout import Plan

    cloud.server.configure(page_size=1000)
    wanted = [f"sub/{number:02}" for number in range(30)]
    for key in wanted:
        cloud.at.put(key, b"x", WriteOptions())
    cloud.server.configure(page_size=15)
    cloud.server.forget()
    cloud.lies(IgnoreQuery((cloud.names["token"], "start-after", "startOffset")))
    interface = cloud.at.interface
    ask = (cloud.at.runtime, existence.exists, interface, wanted, Plan(cloud.at.runtime, 4))
    assert in_worker(*ask) == dict.fromkeys(wanted, True)  # what the repeated page does not answer is asked one by one
    assert len(cloud.server.requests()) <= 40


@pytest.mark.parametrize("cloud", ["s3", "gs"], indirect=True)  # the others are not in the order of the keys
@pytest.mark.parametrize("empty_pages", [1, 3])
def test_existence_is_answered_after_empty_pages(cloud: Cloud, empty_pages: int) -> None:
    """As after many deletes."""
    from cloudfiles.batch import existence
    from cloudfiles.batch.fanout import Plan

    wanted = [f"sub/{number:03}" for number in range(60)]
    for key in wanted:
        cloud.at.put(key, b"x", WriteOptions())
    cloud.server.configure(page_size=15)
    cloud.server.forget()
    emptied = Reworded(rb'(?s)<Contents>.*</Contents>|(?<="items": \[).*?(?=\])', b"")
    cloud.server.script(Rule(emptied, query=cloud.names["listing"], times=empty_pages))
    answers = in_worker(cloud.at.runtime, existence.exists, cloud.at.interface, wanted, Plan(cloud.at.runtime, 4))
    assert answers == {key: number >= 15 * empty_pages for number, key in enumerate(wanted)}
    assert len(cloud.server.requests()) <= 8


@pytest.mark.parametrize("page", [portal(), WithBody(b""), WithBody(b"<html><title>Sign in</title></html>"),
                                  WithBody(b'{"kind": "storage#obj'), WithBody(b"<?xml version='1.0'?><List")],
                         ids=["portal", "empty", "xhtml", "half-json", "half-xml"])
def test_what_is_no_listing_is_an_error(cloud: Cloud, page: Fault) -> None:
    cloud.lies(page)
    with pytest.raises(ProtocolError) as raised:
        cloud.list()
    assert "<" not in str(raised.value).replace("<html>", "")


@pytest.mark.parametrize("status", [204, 206, 203])
def test_other_successes_are_no_listing(cloud: Cloud, status: int) -> None:
    cloud.lies(AsStatus(status))
    with pytest.raises(ProtocolError, match=str(status)):
        cloud.list()


@pytest.mark.parametrize("cloud", ["s3", "az"], indirect=True)
def test_a_full_page_that_does_not_say_whether_it_continues_is_an_error(cloud: Cloud) -> None:
    cloud.server.configure(page_size=5000)
    cloud.lies(Reworded(rb"<IsTruncated>.*?</IsTruncated>|<NextMarker>.*?</NextMarker>", b""))
    assert sorted(cloud.list()) == ["a", "b", "sub/c"]  # fewer than were asked for: all of them
    with pytest.raises(ProtocolError, match="does not say whether"):
        cloud.at.list_page(limit=3)


@pytest.mark.parametrize("cloud", ["s3", "az"], indirect=True)
def test_a_narrower_prefix_is_an_error_where_the_server_tells(cloud: Cloud) -> None:
    """Each key begins as asked, and others are missing."""
    told = Reworded(rb"<Blobs>", b"<Prefix>dir/sub/</Prefix><Blobs>")  # what the scripted Azure leaves out
    cloud.lies(Both(SetQuery(cloud.names["prefix"], "dir/sub/"), told))
    with pytest.raises(ProtocolError, match="the server listed 'dir/sub/'"):
        cloud.list()


@pytest.mark.parametrize("cloud", ["gs"], indirect=True)
def test_an_error_in_a_success_is_an_error(cloud: Cloud) -> None:
    error = b'{"error": {"code": 403, "message": "no", "errors": [{"reason": "forbidden", "message": "no"}]}}'
    cloud.server.script(Rule(WithBody(error, "application/json"), times=None))
    for ask in (cloud.list, lambda: cloud.at.exists("a"), lambda: cloud.at.put("new", b"", WriteOptions())):
        with pytest.raises(ServerError, match="forbidden"):
            ask()


def test_nothing_is_planned_by_foreign_keys(cloud: Cloud, green: bool) -> None:
    """What a sync deletes is what its plan was not shown at the source: an error ends the plan."""
    cloud.lies(SetQuery(cloud.names["prefix"], "zz"))
    with pytest.raises(ProtocolError, match="does not honor the prefix"):
        in_worker(cloud.at.runtime, lambda: list(
            merge_listings(cloud.at.interface, cloud.at.interface, lambda key: True)))


# ---- grouped by '/'


@pytest.mark.parametrize("cloud", ["s3", "gs"], indirect=True)  # the scripted Azure does not group
def test_an_ignored_delimiter_is_an_error(cloud: Cloud) -> None:
    assert cloud.list(flat=True) == ["a", "b", "sub/"]
    cloud.lies(IgnoreQuery((cloud.names["delimiter"],)))
    with pytest.raises(ProtocolError, match="delimiter"):
        cloud.list(flat=True)


@pytest.mark.parametrize("cloud", ["s3", "gs"], indirect=True)
def test_groups_that_nobody_requested_are_an_error(cloud: Cloud) -> None:
    """Their keys would be taken for missing."""
    cloud.lies(SetQuery(cloud.names["delimiter"], "/"))
    with pytest.raises(ProtocolError, match="common prefix 'dir/sub/'"):
        cloud.list()


# ---- S3's own words


@pytest.fixture
def s3(fault_server: S3Server, green: bool) -> Iterator[Cloud]:
    fault_server.put_many(dict.fromkeys(KEYS, b"content"))
    fault_server.configure(page_size=1)
    worker = open_s3(f"s3://{fault_server.bucket}/", green, endpoint=fault_server.url, secrets=fault_server.secrets)
    yield Cloud(fault_server, worker, {"listing": "prefix="})
    s3_setup.close_opened()


def test_a_last_key_that_is_not_continued_from_ends_in_an_error(s3: Cloud) -> None:
    """IsTruncated without a token: as gateways do that are older than tokens, and this one does not know markers."""
    s3.lies(Both(SetQuery("list-type", "2"), Reworded(rb"<NextContinuationToken>.*?</NextContinuationToken>", b"")))
    with pytest.raises(ProtocolError, match="does not end"):
        s3.list()


REPEATED = {"continuation-token": rb"(?s)(<Contents>.*?</Contents>)", "marker": rb"(?s)(<Blob>.*?</Blob>)",
            "pageToken": rb'(?<="items": \[)(.*)(?=\])'}


def test_an_object_that_is_listed_twice_is_listed_once(cloud: Cloud) -> None:
    cloud.server.configure(page_size=1000)
    by = rb"\1, \1" if cloud.names["token"] == "pageToken" else rb"\1\1"
    cloud.lies(Reworded(REPEATED[cloud.names["token"]], by))
    assert sorted(cloud.list()) == ["a", "b", "sub/c"]
    assert sum(size for _, size in cloud.list("", False, True)) == 3 * 7


# ---- the pages of any store


class Scripted:
    """A store whose pages are these."""

    def __init__(self, page: Callable[[str | None], ListPage]) -> None:
        self._page = page
        self.asked = 0

    def list_page(self, prefix: str = "", *, flat: bool = False, token: str | None = None,
                  limit: int | None = None) -> ListPage:
        self.asked += 1
        return self._page(token)


def read(page: Callable[[str | None], ListPage]) -> tuple[int, Exception | None]:
    """How many pages were asked for, and what ended them."""
    store = Scripted(page)
    try:
        for _ in Interface.pages(store, "x"):  # type: ignore[arg-type]
            pass
    except ProtocolError as error:
        return store.asked, error
    return store.asked, None


@pytest.mark.parametrize(("lead", "cycle"), [(0, 1), (0, 2), (3, 5), (40, 7)])
def test_tokens_in_a_cycle(lead: int, cycle: int) -> None:
    def page(token: str | None) -> ListPage:
        at = 0 if token is None else int(token)
        return ListPage([], [], str(at + 1 if at + 1 < lead + cycle else lead))

    asked, error = read(page)
    assert "repeats the continuation token" in str(error)
    assert asked <= 4 * (lead + cycle) + 2


def test_the_same_page_by_ever_new_tokens() -> None:
    numbers = itertools.count()
    asked, error = read(lambda token: ListPage([ListEntry("x1"), ListEntry("x2")], [], str(next(numbers))))
    assert "starts with 'x1'" in str(error)
    assert asked == 2


@pytest.mark.parametrize("prefixes", [[], ["x/"]])
def test_pages_with_nothing_new_for_ever(prefixes: list[str], internals: Replace) -> None:
    internals(empty_pages=50)
    numbers = itertools.count()
    asked, error = read(lambda token: ListPage([], prefixes, str(next(numbers))))
    assert "without anything new" in str(error)
    assert asked <= 51


def test_many_empty_pages_are_no_fault() -> None:
    asked, error = read(lambda token: ListPage([], [], None if token == "500" else str(int(token or 0) + 1)))
    assert error is None
    assert asked == 501


def test_a_long_listing_is_no_fault() -> None:
    def page(token: str | None) -> ListPage:
        at = int(token or 0)
        return ListPage([ListEntry(f"x{at}")], [], None if at == 3000 else str(at + 1))

    assert read(page) == (3001, None)


def test_pages_that_begin_before_the_end_of_the_one_before() -> None:
    """As of a server whose token names the last entry that was listed, or one before it."""

    def page(token: str | None) -> ListPage:
        at = int(token or 0)
        keys = [f"x{number:03}" for number in range(max(0, at - 2), min(at + 10, 95))]
        prefixes = [f"{key}/" for key in keys]
        return ListPage([ListEntry(key) for key in keys], prefixes, str(at + 10) if at < 90 else None)

    pages = list(Interface.pages(Scripted(page), "x"))  # type: ignore[arg-type]
    assert [entry.key for page in pages for entry in page.entries] == [f"x{number:03}" for number in range(95)]
    assert [prefix for page in pages for prefix in page.prefixes] == [f"x{number:03}/" for number in range(95)]


def test_a_key_twice_on_a_page_is_listed_as_it_came_first() -> None:
    entries = [ListEntry("b", 1), ListEntry("a", 2), ListEntry("b", 3), ListEntry("c", 4), ListEntry("a", 5)]
    assert DuplicateFilter().page(ListPage(entries, ["d/", "c/", "d/"], "t")) == ListPage(
        [ListEntry("b", 1), ListEntry("a", 2), ListEntry("c", 4)], ["d/", "c/"], "t")


def test_keys_out_of_order_stay() -> None:
    """A store that lists by directories: each object is another one."""
    once, keys = DuplicateFilter(), ["a/x", "a/y", "a-b", "b/x", "b"]
    pages = [once.page(ListPage([ListEntry(key)], [])) for key in keys]
    assert [entry.key for page in pages for entry in page.entries] == keys


def test_a_listing_continues_from_a_token() -> None:
    progress = CycleDetector("it", "t")
    with pytest.raises(ProtocolError, match="it does not end"):
        progress.check("t")
