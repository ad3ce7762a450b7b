"""Content encodings: round trips, streams cut anywhere, damage of every kind, bombs, transcoding."""

from __future__ import annotations

import bz2
import contextlib
import gzip
import itertools
import lzma
import random
import subprocess
import sys
import zlib
from unittest import mock

import brotli
import numpy
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from cloudfiles import codecs, compression, content_encoding, encoding_streams
from cloudfiles.compression import (
    COMPRESSION_EXTENSIONS,
    COMPRESSION_TYPES,
    compress,
    decompress,
    normalize_encoding,
    transcode,
)
from cloudfiles.encoding_streams import decoder, encoder
from cloudfiles.exceptions import CompressionError, DecompressionError, InvalidInputError, UnsupportedCompressionType
from tests.selection import some

untimed = settings(deadline=None)
ENCODINGS = ["gzip", "br", "zstd", "xz", "bz2"]
CONCATENATING = ["gzip", "zstd", "xz", "bz2"]
LEVELS = {"gzip": range(10), "br": range(12), "zstd": range(-5, 13), "xz": range(4), "bz2": range(1, 10)}
TEXT = b"".join(b"%d,segment %d\n" % (n, n * n % 9973) for n in range(3000))

contents = st.one_of(
    st.binary(max_size=300),
    st.builds(lambda piece, n: piece * n, st.binary(min_size=1, max_size=40), st.integers(1, 3000)),
    st.integers(0, 70_000).map(lambda n: TEXT[:n]),
    st.integers(0, 2**32).map(lambda seed: random.Random(seed).randbytes(5000)),
)
encodings = st.sampled_from(ENCODINGS)


def reference(encoding: str, data: bytes) -> bytes:
    """`data` encoded by the encoding's own library and not by the module under test."""
    if encoding == "zstd":
        return zstandard.ZstdCompressor().compress(data)
    return {"gzip": gzip.compress, "br": brotli.compress, "xz": lzma.compress, "bz2": bz2.compress}[encoding](data)


def unreference(encoding: str, data: bytes) -> bytes:
    if encoding == "zstd":
        return zstandard.ZstdDecompressor().decompressobj().decompress(data)
    libraries = {"gzip": gzip.decompress, "br": brotli.decompress, "xz": lzma.decompress, "bz2": bz2.decompress}
    return libraries[encoding](data)


def pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    edges = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    return [data[start:end] for start, end in itertools.pairwise(edges)]


def decode_in_pieces(parts: list[bytes], encoding: str, **options: object) -> bytes:
    stream = decoder(encoding, **options)
    decoded = b"".join(stream.update(part) for part in parts)
    stream.finish()
    return decoded


# ---- whole contents


@untimed
@given(contents, encodings, st.data())
def test_what_is_encoded_decodes_to_itself_here_and_in_the_reference(data, encoding, draw):
    level = draw.draw(st.none() | st.sampled_from(LEVELS[encoding]))
    encoded = compress(data, encoding, level)
    assert type(encoded) is bytes
    assert decompress(encoded, encoding) == data
    assert unreference(encoding, encoded) == data
    assert compress(data, encoding, level) == encoded


@untimed
@given(contents, encodings)
def test_reads_what_others_write(data, encoding):
    assert decompress(reference(encoding, data), encoding, "key") == data


@pytest.mark.parametrize("encoding", [*ENCODINGS, None])
@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview, lambda d: memoryview(d)[::-1],
                                  lambda d: memoryview(d).cast("B", (len(d) // 4, 4))])
def test_any_buffer_is_taken_and_bytes_are_given(encoding, kind):
    content = kind(TEXT[:4000])
    plain = bytes(content)
    encoded = compress(content, encoding)
    assert type(encoded) is bytes
    for buffer in (bytes, bytearray, memoryview):
        decoded = decompress(buffer(encoded), encoding)
        assert type(decoded) is bytes
        assert decoded == plain


def test_without_an_encoding_nothing_is_copied():
    for none in (None, False, "", "identity", "aws-chunked", "identity, aws-chunked"):
        assert compress(TEXT, none) is TEXT
        assert decompress(TEXT, none) is TEXT
    assert encoder(None).update(TEXT) is TEXT


def test_true_and_the_default_mean_gzip():
    assert compress(TEXT, True) == compress(TEXT) == compress(TEXT, "gzip")
    assert decompress(compress(TEXT), True) == TEXT


def test_gzip_output_contains_no_time():
    for level in (None, *range(10)):
        assert compress(TEXT, "gzip", level)[:8] == b"\x1f\x8b\x08\0\0\0\0\0"


def test_gzip_levels_do_what_is_documented():
    sizes = [len(compress(TEXT, "gzip", level)) for level in range(10)]
    assert sizes[0] > len(TEXT)
    assert sizes[1] < len(TEXT)
    assert sizes[9] <= sizes[6] <= sizes[2]
    assert compress(TEXT, "gzip", 6)[10:] == gzip.compress(TEXT, 6)[10:]


def test_text_and_arrays_are_content():
    array = numpy.arange(6, dtype="u2").reshape(2, 3)
    for encoding in ("gzip", "zstd", None):
        assert decompress(compress("caf\u00e9", encoding), encoding) == "caf\u00e9".encode()
        assert decompress(compress(array, encoding), encoding) == array.tobytes()
        with pytest.raises(InvalidInputError, match="ascontiguousarray"):
            compress(array.T, encoding)


@pytest.mark.parametrize("content", [5, None, [b"x"]])
@pytest.mark.parametrize("encoding", ["gzip", None])
def test_other_things_than_bytes_are_refused(content, encoding):
    with pytest.raises(InvalidInputError, match="C-contiguous"):
        compress(content, encoding)
    if encoding is None:
        assert decompress(content, encoding) is content
        return
    with pytest.raises(InvalidInputError, match="C-contiguous"):
        decompress(content, encoding)


def test_an_error_of_the_library_becomes_a_compression_error():
    broken = mock.Mock(side_effect=OSError("no memory"))
    with mock.patch("bz2.BZ2Compressor", broken), pytest.raises(CompressionError, match=r"bz2 could not .*no memory"):
        compress(TEXT, "bz2")


# ---- names and levels


@pytest.mark.parametrize(("given_name", "canonical"), [
    ("gzip", "gzip"), ("GZIP", "gzip"), ("x-gzip", "gzip"), ("gz", "gzip"), (".gz", "gzip"), (True, "gzip"),
    ("br", "br"), ("brotli", "br"), ("zst", "zstd"), (".zstd", "zstd"), ("lzma", "xz"), (".xz", "xz"),
    ("bzip2", "bz2"), (" bz2 ", "bz2"), ("gzip,br", "gzip, br"), ("aws-chunked, gzip", "gzip"),
    ("gzip,,identity", "gzip"), ("gzip, gzip", "gzip, gzip"),
    (None, None), (False, None), ("", None), ("identity", None), (" , ", None), ("aws-chunked", None),
])
def test_names(given_name, canonical):
    assert normalize_encoding(given_name) == canonical
    assert normalize_encoding(canonical) == canonical


def test_every_listed_type_and_extension_is_known():
    for kind in COMPRESSION_TYPES:
        assert decompress(compress(TEXT, kind), kind) == TEXT
    assert list(COMPRESSION_EXTENSIONS) == [".gz", ".br", ".zstd", ".xz", ".bz2"]
    for extension, encoding in COMPRESSION_EXTENSIONS.items():
        assert normalize_encoding(extension) == normalize_encoding(encoding) == encoding


@pytest.mark.parametrize("name", ["snappy", "deflate", "gzip, lz4", 7, 1.0, b"gzip"])
def test_unknown_names_are_refused_naming_the_known(name):
    for act in (lambda: normalize_encoding(name), lambda: compress(b"", name), lambda: encoder(name),
                lambda: transcode([], name)):
        with pytest.raises(UnsupportedCompressionType, match="gzip, br, zstd, xz, bz2"):
            act()
    with pytest.raises(UnsupportedCompressionType, match=r"a/key.*gzip, br") as caught:
        decompress(b"x", name, "a/key")
    assert caught.value.path == "a/key"


def test_contents_are_compressed_with_one_method_at_a_time():
    with pytest.raises(UnsupportedCompressionType, match="with only one method"):
        compress(b"x", "gzip, br")


@pytest.mark.parametrize(("encoding", "level"), [
    ("gzip", -1), ("gzip", 10), ("br", 12), ("zstd", 23), ("xz", 10), ("bz2", 0), ("bz2", 10),
    ("gzip", "6"), ("gzip", 6.0), ("gzip", True),
])
def test_levels_out_of_range_are_refused_naming_the_range(encoding, level):
    for act in (lambda: compress(b"x", encoding, level), lambda: encoder(encoding, level),
                lambda: content_encoding.check(encoding, level), lambda: transcode([], encoding, level)):
        with pytest.raises(InvalidInputError, match=f"{encoding}: expected an integer from -?\\d+ to \\d+, got"):
            act()


def test_levels_may_be_of_any_integer_type():
    class Level:
        def __index__(self) -> int:
            return 6

    assert compress(TEXT, "gzip", Level()) == compress(TEXT, "gzip", 6)


# ---- lists and members


@untimed
@given(contents, st.lists(encodings, min_size=1, max_size=3))
def test_lists_are_undone_from_right_to_left(data, applied):
    stored = data
    for encoding in applied:
        stored = reference(encoding, stored)
    assert decompress(stored, ", ".join(applied)) == data
    assert decompress(stored, ",identity,".join(applied) + ", aws-chunked", max_decoded_size=len(data)) == data


@untimed
@given(st.lists(contents, min_size=1, max_size=4), st.sampled_from(CONCATENATING), st.none() | st.just(10**7))
def test_concatenated_members_are_decoded_to_the_last(parts, encoding, limit):
    stored = b"".join(reference(encoding, part) for part in parts)
    assert decompress(stored, encoding, max_decoded_size=limit) == b"".join(parts)


def test_many_small_members():
    stored = b"".join(gzip.compress(b"%d\n" % n) for n in range(30_000))
    assert len(stored) > 2 * encoding_streams._SLICE
    assert decompress(stored, "gzip") == b"".join(b"%d\n" % n for n in range(30_000))


def test_zstd_skippable_frames_are_skipped():
    skippable = b"\x50\x2a\x4d\x18\x04\0\0\0abcd"
    stored = skippable + reference("zstd", TEXT) + skippable
    assert decompress(stored, "zstd") == TEXT
    assert decompress(stored, "zstd", max_decoded_size=len(TEXT)) == TEXT


def test_zstd_frames_without_a_size():
    stream = zstandard.ZstdCompressor().compressobj()
    stored = stream.compress(TEXT) + stream.flush()
    assert zstandard.frame_content_size(stored) == -1
    assert decompress(stored, "zstd") == TEXT


def test_the_legacy_lzma_format_is_read():
    assert decompress(lzma.compress(TEXT, lzma.FORMAT_ALONE), "lzma") == TEXT


@pytest.mark.parametrize("flags", range(32))
def test_gzip_header_fields_are_passed_over_wherever_they_are_cut(flags):
    header = bytes([0x1F, 0x8B, 8, flags, 1, 2, 3, 4, 0, 3])
    header += b"\x06\0BC\x02\0\0\0" if flags & 4 else b""
    header += b"name.txt\0" if flags & 8 else b""
    header += b"comment\0" if flags & 16 else b""
    header += zlib.crc32(header).to_bytes(4, "little")[:2] if flags & 2 else b""
    stored = header + gzip.compress(TEXT[:500])[10:]
    for cut in range(len(stored)):
        assert decode_in_pieces([stored[:cut], stored[cut:]], "gzip") == TEXT[:500]
    assert decode_in_pieces([stored[n:n + 1] for n in range(len(stored))], "gzip") == TEXT[:500]
    for cut in range(1, len(header) + 1):
        with pytest.raises(DecompressionError, match="truncated"):
            decompress(stored[:cut], "gzip")


def test_a_gzip_header_without_an_end_is_truncated():
    parts = [b"\x1f\x8b\x08\x08\0\0\0\0\0\x03", *[b"x" * (1 << 18)] * 10]
    with pytest.raises(DecompressionError, match="truncated"):
        decode_in_pieces(parts, "gzip")


@pytest.mark.parametrize("encoding", ["gzip", "xz"])
def test_zeros_behind_a_stream_are_padding(encoding):
    stored = reference(encoding, TEXT)
    assert decompress(stored + bytes(512), encoding) == TEXT
    assert decompress(stored + bytes(512) + stored, encoding) == TEXT + TEXT
    assert decode_in_pieces([stored, bytes(300), bytes(212)], encoding) == TEXT


@pytest.mark.parametrize("encoding", [*ENCODINGS, "gzip, br"])
def test_zero_bytes_decode_to_zero_bytes(encoding):
    assert decompress(b"", encoding) == b""
    assert decode_in_pieces([b"", b""], encoding) == b""


# ---- damage


@untimed
@given(contents, encodings, st.integers(0, 10**6), st.none() | st.just(10**7))
def test_a_truncated_stream_is_an_error_that_names_the_file(data, encoding, at, limit):
    stored = reference(encoding, data)
    cut = 1 + at % (len(stored) - 1) if len(stored) > 1 else None
    if cut is None:
        return
    with pytest.raises(DecompressionError, match=f"some/key: {encoding} content") as caught:
        decompress(stored[:cut], encoding, "some/key", max_decoded_size=limit)
    assert caught.value.path == "some/key"
    with pytest.raises(DecompressionError, match=encoding):
        decode_in_pieces([stored[:cut]], encoding)


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_every_cut_of_a_stream_is_noticed(encoding):
    stored = reference(encoding, b"abracadabra" * 3)
    for cut in range(1, len(stored)):
        with pytest.raises(DecompressionError):
            decompress(stored[:cut], encoding)


@untimed
@given(st.binary(min_size=1, max_size=50), encodings, st.booleans(), st.none() | st.just(10**6))
def test_garbage_behind_a_stream_is_an_error(garbage, encoding, in_pieces, limit):
    if encoding in ("gzip", "xz") and not garbage.strip(b"\0"):
        garbage += b"!"
    stored = reference(encoding, TEXT)
    parts = [stored, garbage] if in_pieces else [stored + garbage]
    with pytest.raises(DecompressionError, match=encoding):
        decode_in_pieces(parts, encoding, max_decoded_size=limit)


@untimed
@given(contents, st.sampled_from(["gzip", "xz", "bz2"]), st.integers(0, 2**40))
def test_a_flipped_bit_is_never_silently_decoded_to_something_else(data, encoding, position):
    damaged = bytearray(reference(encoding, data))
    bit = position % (8 * len(damaged))
    damaged[bit // 8] ^= 1 << bit % 8
    with contextlib.suppress(DecompressionError):  # without one, it was a header's time, flag or system
        assert decompress(bytes(damaged), encoding, "key") == data


@untimed
@given(st.binary(max_size=2000), encodings, st.none() | st.integers(0, 5000))
def test_noise_raises_nothing_but_a_decompression_error(noise, encoding, limit):
    with contextlib.suppress(DecompressionError):
        decoded = decompress(noise, encoding, max_decoded_size=limit)
        assert limit is None or len(decoded) <= limit


def test_a_damaged_member_behind_an_intact_one_is_an_error():
    for encoding in CONCATENATING:
        stored = reference(encoding, TEXT)
        with pytest.raises(DecompressionError):
            decompress(stored + stored[:-3], encoding)


def test_an_error_without_a_name_shows_none():
    with pytest.raises(DecompressionError, match=r"^gzip content is truncated") as caught:
        decompress(compress(TEXT)[:-1], "gzip")
    assert caught.value.path is None


# ---- limits


@untimed
@given(contents, st.lists(encodings, min_size=1, max_size=2), st.integers(-3, 3))
def test_the_limit_is_exact(data, applied, slack):
    stored = data
    for encoding in applied:
        stored = reference(encoding, stored)
    limit = max(0, len(data) + slack)
    if len(data) <= limit:
        assert decompress(stored, ", ".join(applied), max_decoded_size=limit) == data
    else:
        with pytest.raises(DecompressionError, match=f"key: .*more than the limit of {limit} bytes"):
            decompress(stored, ", ".join(applied), "key", max_decoded_size=limit)


def test_the_limit_holds_without_an_encoding():
    assert decompress(b"abc", None, max_decoded_size=3) == b"abc"
    with pytest.raises(DecompressionError, match="more than the limit of 2 bytes"):
        decompress(b"abc", None, max_decoded_size=2)


BOMB = """
import resource, sys
from cloudfiles.compression import compress, decompress
from cloudfiles.exceptions import DecompressionError
encodings = sys.argv[1].split("+")
stored = bytes(1 << 20)
from cloudfiles.encoding_streams import encoder
stream = encoder(encodings[0], 1)
stored = b"".join(stream.update(stored) for _ in range(400)) + stream.finish()
for encoding in encodings[1:]:
    stored = compress(stored, encoding)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    decompress(stored, ", ".join(encodings), max_decoded_size=10 << 20)
except DecompressionError:
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="reads the peak memory from getrusage")
@pytest.mark.parametrize("encodings", some([*ENCODINGS, "gzip+gzip", "zstd+br"], ["gzip", "zstd", "zstd+br"]))
def test_a_bomb_of_400_mib_is_stopped_in_bounded_memory(encodings):
    ran = subprocess.run([sys.executable, "-c", BOMB, encodings], capture_output=True, text=True, check=True)
    grown = int(ran.stdout) * (1 if sys.platform == "darwin" else 1024)  # ru_maxrss is in KiB but on macOS
    assert grown < 100 << 20


# ---- streams


@untimed
@given(contents, st.lists(st.integers(0, 10**6), max_size=8), encodings)
def test_encoding_in_pieces(data, cuts, encoding):
    stream = encoder(encoding)
    stored = b"".join(stream.update(part) for part in pieces(data, cuts)) + stream.finish()
    assert unreference(encoding, stored) == data
    assert decompress(stored, encoding) == data


@untimed
@given(contents, st.lists(st.integers(0, 10**6), max_size=8), st.lists(encodings, max_size=2), st.booleans(),
       st.integers(1, 300))
def test_decoding_in_pieces_of_any_size(data, cuts, applied, limited, step):
    stored = data
    for encoding in applied:
        stored = reference(encoding, stored)
    limit = len(data) if limited else None
    with (mock.patch.multiple(encoding_streams, _SLICE=step * 7, _PIECE=step),
          mock.patch.object(codecs, "_ZSTD_SLICE", step)):
        assert decode_in_pieces(pieces(stored, cuts), ", ".join(applied), max_decoded_size=limit) == data


@pytest.mark.parametrize("encoding", ["gzip", "br", "zstd", "bz2"])
@pytest.mark.parametrize("limited", [False, True])
@pytest.mark.parametrize("kind", some(["noise", "hexadecimal", "zeros and noise"], ["zeros and noise"]))
def test_large_contents_that_take_many_steps(encoding, limited, kind):
    noise = random.Random(1).randbytes(600_000)
    data = {"noise": noise * 2, "hexadecimal": noise.hex().encode(), "zeros and noise": bytes(1_500_000) + noise}[kind]
    stored = compress(data, encoding)
    limit = len(data) if limited else None
    assert decompress(stored, encoding, max_decoded_size=limit) == data
    cuts = [len(stored) // 3, len(stored) - 5]
    assert decode_in_pieces(pieces(stored, cuts), encoding, max_decoded_size=limit) == data
    with pytest.raises(DecompressionError, match=r"truncated|more than"):
        decompress(stored[:-1], encoding, max_decoded_size=limit)


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("limit", [None, 10**6])
def test_decoding_one_byte_at_a_time(encoding, limit):
    stored = reference(encoding, TEXT[:3000])
    if encoding in CONCATENATING:
        stored += stored
    copies = 2 if encoding in CONCATENATING else 1
    parts = [stored[n:n + 1] for n in range(len(stored))]
    assert decode_in_pieces(parts, encoding, max_decoded_size=limit) == TEXT[:3000] * copies


def test_streams_of_one_thread_may_take_turns():
    streams = [(decoder("zstd"), reference("zstd", TEXT[n:])) for n in range(3)]
    decoded = [b"", b"", b""]
    for at in range(0, len(TEXT), 1000):
        for n, (stream, stored) in enumerate(streams):
            decoded[n] += stream.update(stored[at:at + 1000])
            assert decompress(compress(b"between", "zstd"), "zstd") == b"between"
    assert decoded == [TEXT, TEXT[1:], TEXT[2:]]


# ---- transcoding


def result(content, encoding, **fields):
    return {"path": "a", "content": content, "compress": encoding, "raw": True, "error": None, **fields}


@untimed
@given(contents, st.none() | encodings, st.none() | encodings, st.booleans())
def test_transcoding(data, stored_as, wanted, in_place):
    file = result(compress(data, stored_as), stored_as, tags={"n": 1})
    before = dict(file)
    [changed] = transcode([file], wanted, in_place=in_place)
    assert decompress(changed["content"], wanted) == data
    assert changed["compress"] == wanted
    assert changed["raw"] is True
    assert changed["tags"] == {"n": 1}
    assert (changed is file) == in_place
    if not in_place:
        assert file == before


def test_what_is_so_encoded_already_passes_untouched_unless_a_level_is_given():
    file = result(compress(TEXT, "gzip", 1), "gzip")
    assert next(transcode(file, "gz"))["content"] is file["content"]
    assert next(transcode(file, "gzip", level=9))["content"] == compress(TEXT, "gzip", 9)
    assert next(transcode(result(TEXT, None), None, level=9))["content"] is TEXT


def test_missing_objects_and_decoded_results():
    assert next(transcode(result(None, None), "br"))["content"] is None
    decoded = result(TEXT, "gzip", raw=False)  # get() without raw says how it was stored
    assert decompress(next(transcode(decoded, "br"))["content"], "br") == TEXT
    assert decompress(next(transcode(decoded, "gzip"))["content"], "gzip") == TEXT


def test_doubly_encoded_results_are_undone():
    file = result(compress(compress(TEXT)), "gzip, gzip")
    assert decompress(next(transcode([file], "gzip"))["content"], "gzip") == TEXT


def test_transcoding_is_lazy():
    taken = []

    def files():
        for n in range(3):
            taken.append(n)
            yield result(TEXT, None)

    stream = transcode(files(), "gzip")
    assert taken == []
    next(stream)
    assert taken == [0]


def test_transcoding_names_a_corrupt_file():
    with pytest.raises(DecompressionError, match=r"^some/key: gzip content"):
        list(transcode([result(b"\x1f\x8bnonsense", "gzip", path="some/key")], "br"))


@pytest.mark.parametrize(("progress", "title"), [(True, "Transcoding"), ("Meshes", "Meshes")])
def test_progress_is_drawn_when_asked(progress, title, capsys):
    list(transcode([result(TEXT, None)], "gzip", progress=progress))
    assert title in capsys.readouterr().err
    list(transcode([result(TEXT, None)], "gzip"))
    assert capsys.readouterr().err == ""


# ---- importing


def test_importing_loads_no_codec():
    code = ("import sys, cloudfiles.compression as c; "
            "print([m for m in ('isal', 'brotli', 'zstandard', 'lzma', 'bz2', 'tqdm') if m in sys.modules])")
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"


def test_star_import_gives_the_names_that_programs_use():
    names: dict[str, object] = {}
    exec("from cloudfiles.compression import *", names)
    assert {"COMPRESSION_TYPES", "compress", "decompress", "transcode", "normalize_encoding"} <= set(names)


@pytest.mark.parametrize(("stored", "effective"), [
    ("", ""), ("aws-chunked", ""), ("gzip,aws-chunked", "gzip"), ("Identity, br", "br"), ("gzip, gzip", "gzip, gzip"),
    ("utf-8", "utf-8"),
])
def test_effective_encoding(stored: str, effective: str) -> None:
    assert content_encoding.effective_encoding(stored) == effective


@pytest.mark.parametrize("encoding", ["gzip", "br", "zstd", "xz", "bz2"])
def test_a_beginning_tells_another_kind_of_file(encoding: str) -> None:
    for content in (b"", b"a", b"text" * 10_000):
        encoded = compression.compress(content, encoding)
        compression.check_beginning(encoded, encoding)
        compression.check_beginning(memoryview(encoded), encoding)
    compression.check_beginning(b"", encoding)
    for content in (b"this is text", b"\x89PNG\r\n\x1a\n" * 1000):
        with pytest.raises(DecompressionError):
            compression.check_beginning(content, encoding)
