"""Keys that clients and servers get wrong, what each of them tries, and which server cannot hold it.

Keys are opaque: whatever is put under one of them has to come back under it, be listed by it, and leave every
other key alone.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

_E_ACUTE, _E_AND_ACUTE = "\u00e9", "e\u0301"  # one letter, in the two normal forms of Unicode


@dataclass(frozen=True)
class NastyKey:
    """A key and the mistake that it brings to light."""

    key: str
    tries: str

    def __str__(self) -> str:
        return ascii(self.key if len(self.key) <= 30 else f"{self.key[:12]}...{len(self.key)}")


NASTY_KEYS: tuple[NastyKey, ...] = (
    # ---- percent-encoding and URL syntax
    NastyKey("plus+plus", "+ taken for a space in a path or in a form-encoded listing"),
    NastyKey("100%", "a percent sign that begins no escape"),
    NastyKey("a%2Fb", "decoded once too often, it is a/b"),
    NastyKey("a%252Fb", "decoded twice, it is a/b"),
    NastyKey("a%20b", "decoded once too often, it has a space"),
    NastyKey("%25", "an escape that looks like one already encoded"),
    NastyKey("%zz", "an escape that is none"),
    NastyKey("%C3%A9", "decoded once too often, it is e with an acute"),
    NastyKey("what?", "an empty query"),
    NastyKey("a?b=c", "a query"),
    NastyKey("?list-type=2", "a key that is a subresource of the bucket"),
    NastyKey("uploads", "a subresource's name as a key"),
    NastyKey("frag#ment", "a fragment, which is never sent"),
    NastyKey("#", "nothing but a fragment"),
    NastyKey("a&b", "the separator of query parameters; also has to be escaped in XML"),
    NastyKey("a=b", "the separator of a parameter and its value"),
    NastyKey("a;b", "once a separator of query parameters"),
    NastyKey("a:b", "a scheme at the start of a relative URL, a stream on Windows"),
    NastyKey("http://host/x", "an absolute URL; joined as a URL it replaces the base"),
    NastyKey("s3:/x", "a cloudpath's protocol inside a key"),
    NastyKey("user@host", "user information"),
    NastyKey("$HOME", "a shell variable"),
    NastyKey("a,b", "the separator of header lists"),
    NastyKey("(a)", "left bare by JavaScript's encoding, encoded by SigV4's"),
    NastyKey("it's", "a single quote"),
    NastyKey('say "x"', "double quotes, around which ETags and XML attributes break"),
    NastyKey("!star*", "more characters that some encodings leave bare"),
    NastyKey("~tilde", "unreserved, but encoded by old encoders; a home directory as a path"),
    NastyKey("~", "a home directory"),
    NastyKey("[a]{b}|^`", "brackets: hosts of IPv6, globs, templates"),
    NastyKey("back\\slash", "a separator on Windows, an escape elsewhere"),
    NastyKey("c:\\x", "an absolute path on Windows"),
    # ---- slashes and dots
    NastyKey("a//b", "an empty segment, which normalization loses"),
    NastyKey("/leading", "an absolute path; two slashes after the bucket"),
    NastyKey("//two-leading", "a host, taken as a relative reference"),
    NastyKey("trailing/", "a directory marker"),
    NastyKey("/", "nothing but a separator"),
    NastyKey("./x", "a segment that normalization loses"),
    NastyKey("a/./b", "such a segment inside"),
    NastyKey("a/../b", "a parent segment, normalized to b"),
    NastyKey("../outside", "a parent segment that leaves the directory or the bucket"),
    NastyKey("a/..", "a parent segment at the end"),
    NastyKey(".", "the directory itself"),
    NastyKey("..", "the parent directory"),
    NastyKey("...", "three dots, which are a name"),
    NastyKey(".hidden", "a hidden file"),
    NastyKey("end.", "a trailing dot, which Windows drops"),
    NastyKey("prefix", "a key that is the prefix of another"),
    NastyKey("prefix/child", "a key below a key"),
    NastyKey("data.gz", "a suffix that looks like an encoding"),
    # ---- spaces and control characters
    NastyKey("in side", "a space"),
    NastyKey("two  spaces", "two spaces, which header folding and XML tools make one"),
    NastyKey(" leading", "a leading space"),
    NastyKey("trailing ", "a trailing space"),
    NastyKey(" ", "nothing but a space"),
    NastyKey("tab\there", "a tab"),
    NastyKey("new\nline", "a newline, which a list of keys in a text file splits"),
    NastyKey("carriage\rreturn", "a carriage return, which XML parsers turn into a newline"),
    NastyKey("inject\r\nX-Evil: 1", "a header of its own if it were not encoded"),
    NastyKey("ctrl\x01", "a control character that XML 1.0 cannot carry"),
    NastyKey("del\x7f", "the delete character"),
    # ---- Unicode
    NastyKey(f"caf{_E_ACUTE}", "a composed letter (NFC)"),
    NastyKey(f"caf{_E_AND_ACUTE}", "the same decomposed (NFD), another key"),
    NastyKey("\U0001f600", "outside the basic plane: 4 bytes in UTF-8, 2 units in UTF-16"),
    NastyKey("\uffee", "sorts after the emoji by UTF-16 and before it by UTF-8, as S3 lists"),
    NastyKey("\u6f22\u5b57/\u304b\u306a", "Chinese and Japanese"),
    NastyKey("\u05e9\u05dc\u05d5\u05dd", "from right to left"),
    NastyKey("zero\u200bwidth", "an invisible character"),
    NastyKey("nbsp\u00a0", "a space that strip() removes and S3 keeps"),
    NastyKey("\ufeffbom", "a byte order mark"),
    NastyKey("line\u2028sep", "a line separator, at which splitlines() splits"),
    NastyKey("stra\u00dfe", "a letter whose upper case is two"),
    # ---- XML
    NastyKey("<a>", "an element"),
    NastyKey("a&amp;b", "an entity, unescaped once too often"),
    NastyKey("]]>", "the end of a CDATA section"),
    # ---- names and lengths
    NastyKey("Case", "differs from the next by case only"),
    NastyKey("case", "differs from the one before by case only"),
    NastyKey("-rf", "an option of a command"),
    NastyKey("CON", "a device on Windows"),
    NastyKey("None", "a value's name"),
    NastyKey("0", "a key that int() eats"),
    NastyKey("l" * 1024, "the longest key of S3, longer than a file's name may be"),
    NastyKey("/".join(["d" * 127] * 8), "the longest key, in segments that a file system takes"),
    NastyKey(_E_ACUTE * 512, "the longest key, counted in bytes and not in characters"),
)

KEYS: tuple[str, ...] = tuple(entry.key for entry in NASTY_KEYS)


def _reasons(groups: Iterable[tuple[str, Iterable[str]]]) -> dict[str, str]:
    return {key: reason for reason, keys in groups for key in keys}


_LONG_NAMES = [key for key in KEYS if any(len(name.encode()) > 255 for name in key.split("/"))]
_DOTTED = [key for key in KEYS if {".", ".."} & set(key.split("/"))]
_EMPTY_SEGMENTS = [key for key in KEYS if "//" in key or key.startswith("/")]
_CONTROLS = [key for key in KEYS if any(ord(character) < 0x20 or ord(character) == 0x7f for character in key)]

# A directory: the limits of POSIX file systems, and of what is safe on one.
_FILE_SYSTEM = _reasons((
    ("a segment longer than the 255 bytes of a name", _LONG_NAMES),
    ("an empty segment is no name, and a leading slash leaves the directory", _EMPTY_SEGMENTS),
    ("'.' and '..' are no names", _DOTTED),
    ("a directory and not a file", [key for key in KEYS if key.endswith("/")]),
    ("needs a directory where another key of the table is a file", ["prefix/child"]),
    ("the suffix stands for the encoding of the object named without it", ["data.gz"]),
))
if sys.platform == "darwin":
    _FILE_SYSTEM |= _reasons([("names that differ by case or normal form are one", ["Case", f"caf{_E_AND_ACUTE}"])])
if os.name == "nt":
    _FILE_SYSTEM |= _reasons([
        ("characters that Windows keeps for itself", [k for k in KEYS if set(k) & set('<>:"\\|?*')] + _CONTROLS),
        ("a name that Windows changes or keeps for itself", ["end.", "trailing ", " ", "...", "CON", "Case"]),
    ])

# moto routes requests by a pattern that stops at a newline, and answers 404.
_MOTO = _reasons([("its routing stops at a newline", [key for key in KEYS if "\n" in key])])

# rclone keeps objects in a directory. It refuses what the directory cannot hold, and takes some keys that it then
# lists, or even finds, only by another name.
_RCLONE = _reasons((
    ("400: an empty segment", [key for key in _EMPTY_SEGMENTS if key != "/"]),
    ("taken for the bucket itself", ["/"]),
    ("400: '.' and '..' are no names", _DOTTED),
    ("500: a segment longer than the 255 bytes of a name", _LONG_NAMES),
    ("500: needs a directory where another key of the table is a file", ["prefix/child"]),
    ("listed without its slash", ["trailing/"]),
))

# Azure resolves dots as in a URL's path, and takes a backslash for a slash; such keys are refused before they are sent.
_AZURITE = _reasons([
    ("'.' and '..' are resolved by Azure", _DOTTED),
    ("Azure takes a backslash for a slash", [key for key in KEYS if "\\" in key]),
    ("500: azurite cannot list what XML cannot carry; Azure encodes it", ["ctrl\x01"]),
])

# gcp-storage-emulator keeps objects under paths, and hangs up on one that it takes for leading out of its directory.
_GCS_EMULATOR = _reasons([("no answer: '..' is no name", [key for key in _DOTTED if ".." in key.split("/")])])

_HDFS = _reasons((
    ("a segment longer than the 255 bytes of a name", _LONG_NAMES),
    ("an empty segment is no name, and a leading slash leaves the directory", _EMPTY_SEGMENTS),
    ("'.' and '..' are no names", _DOTTED),
    ("a directory and not a file", [key for key in KEYS if key.endswith("/")]),
    ("needs a directory where another key of the table is a file", ["prefix/child"]),
    ("HDFS allows no ':' in names", [key for key in KEYS if ":" in key]),
))

# Hadoop 2.7.3: its DataNodes decode names twice, and find another file or none.
_HADOOP = _HDFS | _reasons([("'%' in a name is decoded twice", [key for key in KEYS if "%" in key])])

# Server or store -> key -> why it cannot hold it. What is not named here has to work.
CANNOT_HOLD: Mapping[str, Mapping[str, str]] = {
    "mem": {},
    "scripted": {},
    "moto": _MOTO,
    "rclone": _RCLONE,
    "file": _FILE_SYSTEM,
    "gs": _GCS_EMULATOR,
    "gs-scripted": {},
    "az": _AZURITE,
    "webhdfs": _HDFS,
    "hadoop": _HADOOP,
}


def keys_for(server: str, keys: Iterable[NastyKey] = NASTY_KEYS) -> list[NastyKey]:
    """The keys that `server` (a name of `CANNOT_HOLD`) can hold, in the table's order."""
    return [entry for entry in keys if entry.key not in CANNOT_HOLD[server]]
