"""Index pages as servers write them, and the walk from one to the next."""

from __future__ import annotations

import html
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloudfiles.exceptions import UnsupportedOperationError
from cloudfiles.interfaces.http.listing import DirectoryLister, Link, is_complete, parse_index
from cloudfiles.types import ListEntry
from tests.internals import Replace

HTML = {"content-type": "text/html; charset=utf-8"}


def links(page: str | bytes, target: str = "/data/", **headers: str) -> list[Link] | None:
    return parse_index(page if isinstance(page, bytes) else page.encode(), HTML | headers, target)


def names(page: str, target: str = "/data/") -> list[str]:
    found = links(page, target)
    assert found is not None
    return [link.segment for link in found]


# ---- pages

NGINX = """<html>
<head><title>Index of /data/</title></head>
<body>
<h1>Index of /data/</h1><hr><pre><a href="../">../</a>
<a href="sub/">sub/</a>                                               20-Nov-2026 19:19                   -
<a href="a%20%26%23b">a &amp;#b</a>                                   20-Nov-2026 19:19                5000
<a href="long-name-1">long-na..&gt;</a> 20-Nov-2026 19:20                   1
</pre><hr></body>
</html>"""

NGINX_ROUNDED = """<html><head><title>Index of /data/</title></head><body><h1>Index of /data/</h1><hr><pre>
<a href="a">a</a>                        20-Nov-2026 19:19     12K
<a href="b">b</a>                        20-Nov-2026 19:19    9999
</pre></body></html>"""

APACHE_PLAIN = """<!DOCTYPE HTML PUBLIC "-//W3C//DTD HTML 3.2 Final//EN">
<html> <head>  <title>Index of /data</title> </head> <body> <h1>Index of /data</h1>
<ul><li><a href="/"> Parent Directory</a></li>
<li><a href="a%20b"> a b</a></li>
<li><a href="sub/"> sub/</a></li>
</ul></body></html>"""

APACHE_FANCY = """<html><head><title>Index of /data</title></head><body><h1>Index of /data</h1>
<pre><img src="/icons/blank.gif" alt="Icon "> <a href="?C=N;O=D">Name</a>  <a href="?C=M;O=A">Last modified</a>
 <a href="?C=S;O=A">Size</a>  <a href="?C=D;O=A">Description</a><hr>
<img src="/icons/back.gif" alt="[PARENTDIR]"> <a href="/">Parent Directory</a>                       -
<a href="a"><img src="/icons/text.gif" alt="[TXT]"></a> <a href="a">a</a>  2026-11-20 19:19  512  9 lives
<img src="/icons/text.gif" alt="[TXT]"> <a href="b">b</a>            2026-11-20 19:19  1.2K
<img src="/icons/folder.gif" alt="[DIR]"> <a href="sub/">sub/</a>    2026-11-20 19:19    -
<hr></pre></body></html>"""

APACHE_TABLE = """<html><head><title>Index of /data</title></head><body><h1>Index of /data</h1><table>
<tr><th valign="top"><img src="/icons/blank.gif" alt="[ICO]"></th><th><a href="?C=N;O=D">Name</a></th>
<th><a href="?C=M;O=A">Last modified</a></th></tr><tr><th colspan="5"><hr></th></tr>
<tr><td valign="top"><img src="/icons/back.gif"></td><td><a href="/">Parent Directory</a></td>
<td>&nbsp;</td><td align="right">  - </td><td>&nbsp;</td></tr>
<tr><td valign="top"><img src="/icons/text.gif"></td><td><a href="a.txt">a.txt</a></td>
<td align="right">2026-11-20 19:19  </td><td align="right">  5 </td><td>&nbsp;</td></tr>
<tr><td valign="top"><img src="/icons/text.gif"></td><td><a href="b">b</a></td>
<td align="right">2026-11-20 19:19  </td><td align="right">4.9K</td><td>2020</td></tr>
</table></body></html>"""

LIGHTTPD = """<!DOCTYPE html><html><head><title>Index of /data/</title></head><body><h2>Index of /data/</h2>
<table><thead><tr><th class="n">Name</th><th class="m">Last Modified</th><th class="s">Size</th></tr></thead><tbody>
<tr class="d"><td class="n"><a href="../">..</a>/</td><td class="m">&nbsp;</td><td class="s">- &nbsp;</td></tr>
<tr class="d"><td class="n"><a href="sub/">sub</a>/</td><td class="m">2026-Nov-20 19:19:05</td><td class="s">-</td></tr>
<tr><td class="n"><a href="a">a</a></td><td class="m">2026-Nov-20 19:19:05</td><td class="s">0.1K</td></tr>
</tbody></table></body></html>"""

CADDY = """<!DOCTYPE html><html><head><title>data</title></head><body><h1><a href="/">/</a><a href="">data</a></h1>
<table><thead><tr><th><a href="?sort=namedirfirst&order=desc">x</a> <a href="?sort=name&order=asc">Name</a></th></tr>
</thead><tbody><tr><td></td><td><a href=".."><span>Up</span></a></td></tr>
<tr class="file"><td><a href="./sub/"><span class="name">sub/</span></a></td><td>&mdash;</td>
<td><time datetime="2026-11-20T19:19:05Z">11/20/2026</time></td></tr>
<tr class="file"><td><a href="./a:b"><span class="name">a:b</span></a></td>
<td class="size" data-size="5000"><div>4.9 KiB</div></td><td><time datetime="2026-11-20T19:19:05Z">x</time></td></tr>
</tbody></table><footer><a rel="noopener" href="https://caddyserver.com">Caddy</a></footer></body></html>"""

RCLONE = """<!DOCTYPE html><html><head><title>/data</title></head><body><h1><a href="/">/</a></h1>
<table><thead><tr><th><a href="?sort=name&order=asc" class="order">Name</a></th></tr></thead><tbody>
<tr><td><a href=".."><span class="goup">Go up</span></a></td></tr>
<tr class="file"><td><a href="sub/">sub/</a> <a class="zip" href="sub/?download=zip">zip</a></td>
<td data-order="-1">&mdash;</td><td><time datetime="2026-11-20 19:19:05.4 +0000 UTC">t</time></td></tr>
<tr class="file"><td><a href="./a:b">a:b</a></td><td data-order="5"><size>5</size></td></tr>
</tbody></table></body></html>"""

PYTHON = """<!DOCTYPE HTML><html lang="en"><head><title>Directory listing for /data/</title></head><body>
<h1>Directory listing for /data/</h1><hr><ul><li><a href="a%3Ab">a:b</a></li><li><a href="sub/">sub/</a></li>
<li><a href="link/">link@</a></li></ul><hr></body></html>"""

GO = """<!doctype html>
<meta name="viewport" content="width=device-width">
<pre>
<a href="a">a</a>
<a href="sub/">sub/</a>
</pre>"""


@pytest.mark.parametrize(("page", "expected"), [
    (NGINX, {"sub/": None, "a &#b": 5000, "long-name-1": 1}),
    (NGINX_ROUNDED, {"a": None, "b": 9999}),
    (APACHE_PLAIN, {"a b": None, "sub/": None}),
    (APACHE_FANCY, {"a": 512, "b": None, "sub/": None}),
    (APACHE_TABLE, {"a.txt": 5, "b": None}),
    (LIGHTTPD, {"sub/": None, "a": None}),
    (CADDY, {"sub/": None, "a:b": 5000}),
    (RCLONE, {"sub/": None, "a:b": 5}),
    (PYTHON, {"a:b": None, "sub/": None, "link/": None}),
    (GO, {"a": None, "sub/": None}),
], ids=["nginx", "nginx-rounded", "apache", "apache-fancy", "apache-table", "lighttpd", "caddy", "rclone",
        "python", "go"])
def test_pages_of_servers(page: str, expected: dict[str, int | None]) -> None:
    found = links(page)
    assert found is not None
    assert {link.segment: link.size for link in found} == expected


PAGES = [NGINX, NGINX_ROUNDED, APACHE_PLAIN, APACHE_FANCY, APACHE_TABLE, LIGHTTPD, CADDY, RCLONE, PYTHON, GO]


@pytest.mark.parametrize("page", PAGES)
def test_a_page_is_complete_by_its_last_tag(page: str) -> None:
    """Where no length was announced. However it is cut before, links may be missing."""
    content = page.encode()
    assert is_complete(content, HTML)
    assert not any(is_complete(content[:cut], HTML) for cut in range(content.lower().rfind(b"</a>")))
    assert not is_complete(b"", HTML)


@pytest.mark.parametrize("framing", [{"content-length": "5"}, {"transfer-encoding": "chunked"}])
def test_a_page_is_complete_by_its_length(framing: dict[str, str]) -> None:
    assert is_complete(b"<html", HTML | framing)


def test_what_stands_behind_the_last_tag_does_not_matter() -> None:
    assert is_complete(NGINX.encode() + b"\n<!-- 0.01 s -->\n<script>count()</script>", HTML)


def test_pre_ends_nothing_inside_of_html() -> None:
    """As where a text stands above the index."""
    assert not is_complete(b"<html><pre>read me</pre><ul><li>", HTML)


def test_the_time_is_as_the_page_says() -> None:
    for page, name, time in [(NGINX, "a &#b", "20-Nov-2026 19:19"), (APACHE_TABLE, "b", "2026-11-20 19:19"),
                             (LIGHTTPD, "a", "2026-Nov-20 19:19:05"), (CADDY, "a:b", "2026-11-20T19:19:05Z")]:
        assert {link.name: link.last_modified for link in links(page) or ()}[name] == time


@pytest.mark.parametrize("page", [
    "", "plain text", "<html><body><h1>Welcome</h1><a href='a'>a</a></body></html>",
    "<html><head><title>My index of things</title></head><a href='a'>a</a></html>",
    "<pre>some <a href='a'>log</a> text</pre>",
    "<html><body><a href='?sort=name'>sort</a><a href='a'>a</a></body></html>",
    "<p>Hello</p><pre><a href='a'>a</a></pre>",
])
def test_other_pages_are_no_index(page: str) -> None:
    assert links(page) is None


def test_other_types_are_no_index() -> None:
    assert parse_index(b'[{"name": "a"}]', {"content-type": "application/json"}, "/") is None
    assert parse_index(NGINX.encode(), {}, "/data/") is None
    assert parse_index(NGINX.encode(), {"content-type": "text/plain"}, "/data/") is None


def test_an_empty_directory() -> None:
    assert links("<title>Index of /data/</title><pre><a href='../'>../</a></pre>") == []
    assert links("<pre>\n</pre>") == []


def indexed(*hrefs: str) -> str:
    return "<title>Index of /</title>" + "".join(f'<a href="{html.escape(href)}">x</a>\n' for href in hrefs)


@pytest.mark.parametrize("href", [
    "", ".", "./", "..", "../", "../x", "/", "/data", "/data/", "/other/x", "/data/../x", "/database/x", "sub/x",
    "sub/deep/", "?C=N;O=D", "a?x", "a#x", "#top", "http://other/data/a", "//other/data/a", "mailto:me", "a%2Fb",
    "javascript:void(0)", "/data//x", "%2e%2e/", "%2e", "http://[bad/", "sub//",
])
def test_links_that_lead_elsewhere(href: str) -> None:
    assert names(indexed(href)) == []


@pytest.mark.parametrize(("href", "expected"), [
    ("a", "a"), ("./a", "a"), ("/data/a", "a"), ("/data/sub/", "sub/"), ("a%20b", "a b"), ("a%2520b", "a%20b"),
    ("a+b", "a+b"), ("%3Fq", "?q"), ("100%", "100%"), ("caf%C3%A9", "caf\u00e9"), ("caf\u00e9", "caf\u00e9"),
    ("%FF", "\udcff"), ("a;b", "a;b"), ("...", "..."), (".hidden", ".hidden"), ("a&b", "a&b"), ("%26amp;", "&amp;"),
])
def test_names_are_decoded_once(href: str, expected: str) -> None:
    assert names(indexed(href)) == [expected]


def test_below_a_directory_whose_name_is_encoded() -> None:
    page = indexed("a", "/d%20%C3%A9/b", "/d \u00e9/c", "/d/x")
    assert names(page, "/d%20%c3%a9/?token=x") == ["a", "b", "c"]


def test_each_name_once_and_files_apart_from_directories() -> None:
    assert names(indexed("a", "a", "./a", "a/", "b")) == ["a", "a/", "b"]


def test_a_page_that_caddy_cut_short_is_refused(internals: Replace) -> None:
    internals(caddy_limit=2)
    assert links(CADDY) is not None
    with pytest.raises(UnsupportedOperationError, match="file_limit"):
        links(CADDY, server="Caddy")


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="/\0"), min_size=1, max_size=12)
                .filter(lambda name: name not in (".", "..")), unique=True))
def test_any_names_come_back(found: list[str]) -> None:
    assert names(indexed(*(quote(name, safe="") for name in found))) == found


@given(st.text())
def test_any_text_is_parsed_without_an_error(page: str) -> None:
    links(page.encode("utf-8", "surrogatepass"))


# ---- walking


class Tree:
    """Directories by path, made of the keys in them."""

    def __init__(self, *keys: str) -> None:
        self.keys = keys
        self.fetched: list[str] = []

    def fetch(self, directory: str) -> list[Link] | None:
        self.fetched.append(directory)
        below = [key[len(directory):] for key in self.keys if key.startswith(directory)]
        if not below:
            return None
        segments = dict.fromkeys(rest.partition("/")[:2] for rest in below if rest)
        return [Link(name, bool(slash), None if slash else len(name)) for name, slash in segments if name]

    def pages(self, prefix: str = "", flat: bool = False, limit: int | None = None) -> list[list[str]]:
        pages, token = [], ""
        while True:
            page = DirectoryLister(self.fetch).page(prefix, flat, token, limit)
            pages.append([entry.key for entry in page.entries] + page.prefixes)
            if page.next_token is None:
                return pages
            token = page.next_token

    def listed(self, prefix: str = "", flat: bool = False, limit: int | None = None) -> list[str]:
        return [key for page in self.pages(prefix, flat, limit) for key in page]


def test_directories_are_descended_in_key_order() -> None:
    tree = Tree("b", "a/z", "a/b/c", "a.txt", "a0", "a")
    assert tree.listed() == sorted(tree.keys)
    assert tree.fetched == ["", "a/", "a/b/"]


def test_prefixes_that_are_no_directories() -> None:
    tree = Tree("a/b/x", "a/bc", "a/c", "ab", "b")
    assert tree.listed("a/b") == ["a/b/x", "a/bc"]
    assert tree.listed("a/b", flat=True) == ["a/bc", "a/b/"]
    assert tree.listed("a", flat=True) == ["ab", "a/"]
    assert tree.listed("a/b/") == ["a/b/x"]
    assert tree.listed("none") == tree.listed("no/ne") == []
    tree.fetched.clear()
    tree.listed("a/b")
    assert tree.fetched == ["a/", "a/b/"], "what the prefix rules out is not fetched"


def test_a_page_ends_between_directories(internals: Replace) -> None:
    internals(http_page=2)
    tree = Tree("a/1", "a/2", "a/3", "b/1", "b/2", "c")
    assert tree.pages() == [["a/1", "a/2", "a/3"], ["b/1", "b/2", "c"]]
    assert tree.fetched == ["", "a/", "b/", "", "a/", "b/"]


def test_a_link_that_leads_back_ends() -> None:
    with pytest.raises(UnsupportedOperationError, match="leads back"):
        DirectoryLister(lambda directory: [Link("again", True)]).page("", False, "", None)


@pytest.mark.parametrize("period", [1, 2, 3])
def test_links_that_lead_back_end_soon(period: int) -> None:
    """Two in each directory: their paths double with each level."""
    asked = []

    def fetch(directory: str) -> list[Link]:
        asked.append(directory)
        return [Link("x", True), Link("y", True), Link(f"file{directory.count('/') % period}", False)]

    with pytest.raises(UnsupportedOperationError, match="leads back"):
        DirectoryLister(fetch).page("", False, "", None)
    assert len(asked) <= 9 * period


def test_directories_may_be_alike() -> None:
    def fetch(directory: str) -> list[Link]:
        return [Link("a", False), Link("sub", True)] if directory.count("/") < 7 else [Link("a", False)]

    assert len(DirectoryLister(fetch).page("", False, "", None).entries) == 8


def test_entries_have_what_the_page_says() -> None:
    page = DirectoryLister(lambda directory: [Link("a", False, 5, "today")]).page("d/", False, "", None)
    assert page.entries == [ListEntry("d/a", 5, None, "today")]


_SEGMENT = st.text(st.sampled_from("ab.0\u00e9\U0001f600\uffee"), min_size=1, max_size=3)


@settings(deadline=None)
@given(keys=st.sets(st.lists(_SEGMENT, min_size=1, max_size=4).map("/".join), max_size=20),
       prefix=st.text(st.sampled_from("ab./"), max_size=4), flat=st.booleans(), limit=st.integers(1, 5))
def test_pages_of_any_size_add_up(keys: set[str], prefix: str, flat: bool, limit: int) -> None:
    expected = set()
    for key in keys:
        if key.startswith(prefix):
            rest = key[len(prefix):]
            expected.add(prefix + rest.partition("/")[0] + "/" if flat and "/" in rest else key)
    tree = Tree(*keys)
    assert all(len(page) <= limit for page in tree.pages(prefix, flat, limit))
    listed = tree.listed(prefix, flat, limit)
    assert len(listed) == len(set(listed))
    assert set(listed) == expected
    if not flat:
        assert listed == sorted(listed, key=str.encode)
