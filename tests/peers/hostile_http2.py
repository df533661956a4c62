"""An HTTP/2 client that breaks the rules of RFC 9113, one at a time, and checks how the server ends the stream or the connection.

Frames are written by hand and fields packed by hpack, so that frames a proper implementation refuses to make can be made. Returns the cases that went wrong.
"""

import socket
import ssl
import struct
import time

import hpack

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
END_STREAM, ACK, END_HEADERS, PADDED = 0x1, 0x1, 0x4, 0x8
NO_ERROR, PROTOCOL_ERROR, INTERNAL_ERROR, FLOW_CONTROL_ERROR, SETTINGS_TIMEOUT, STREAM_CLOSED, FRAME_SIZE_ERROR, REFUSED_STREAM = range(8)
COMPRESSION_ERROR, ENHANCE_YOUR_CALM = 0x9, 0xB
TIMEOUT = 10  # seconds


def frame(kind, flags=0, stream=0, payload=b"", length=None):
    size = len(payload) if length is None else length
    return struct.pack(">I", size)[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


class Connection:
    def __init__(self, port, begin=True):
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        context.set_alpn_protocols(["h2"])
        self.socket = context.wrap_socket(socket.create_connection(("127.0.0.1", port), TIMEOUT), server_hostname="localhost")
        self.socket.settimeout(TIMEOUT)
        self.encoder = hpack.Encoder()
        self.buffer = b""
        self.frames = []  # (type, flags, stream, payload)
        self.closed = False
        if begin:
            self.send(PREFACE + frame(SETTINGS))

    def send(self, octets):
        try:
            self.socket.sendall(octets)
        except OSError:
            self.closed = True

    def request(self, stream, fields=None, flags=END_HEADERS | END_STREAM, method="GET", path="/1k.bin"):
        if fields is None:
            fields = [(":method", method), (":scheme", "https"), (":authority", "localhost"), (":path", path)]
        return frame(HEADERS, flags, stream, self.encoder.encode(fields, huffman=False))

    def read(self):
        """The next frame; None at the end of the connection."""
        while not self.closed:
            if len(self.buffer) >= 9:
                size = int.from_bytes(self.buffer[:3], "big")
                if len(self.buffer) >= 9 + size:
                    got = (self.buffer[3], self.buffer[4], int.from_bytes(self.buffer[5:9], "big") & 0x7FFFFFFF, self.buffer[9:9 + size])
                    self.buffer = self.buffer[9 + size:]
                    self.frames.append(got)
                    if got[0] == SETTINGS and not got[1] & ACK:
                        self.send(frame(SETTINGS, ACK))
                    return got
            try:
                more = self.socket.recv(65536)
            except OSError:
                more = b""
            if not more:
                break
            self.buffer += more
        self.closed = True
        return None

    def until(self, wanted):
        """The first frame that satisfies `wanted`; None if the connection ends before."""
        deadline = time.monotonic() + TIMEOUT
        while time.monotonic() < deadline:
            got = self.read()
            if got is None or wanted(got):
                return got
        raise AssertionError("nothing of what was expected came")


def ends_connection(*codes):
    def expect(c):
        got = c.until(lambda f: f[0] == GOAWAY and int.from_bytes(f[3][4:8], "big") != NO_ERROR)
        assert got is not None, "the connection ended without GOAWAY"
        code = int.from_bytes(got[3][4:8], "big")
        assert code in codes, f"GOAWAY {code:#x}, expected {[hex(x) for x in codes]}"
        assert c.until(lambda f: False) is None
    return expect


def ends_stream(stream, *codes, statuses=()):
    """RST_STREAM with one of the codes, a response with one of the statuses, or the end of the connection with one of the codes."""
    def expect(c):
        decoder = hpack.Decoder()
        while True:
            got = c.read()
            assert got is not None, "the connection ended without a word"
            if got[0] == RST_STREAM and got[2] == stream:
                code = int.from_bytes(got[3], "big")
                assert code in codes, f"RST_STREAM {code:#x}, expected {[hex(x) for x in codes]}"
                return
            if got[0] == GOAWAY and int.from_bytes(got[3][4:8], "big") != NO_ERROR:
                code = int.from_bytes(got[3][4:8], "big")
                assert code in codes, f"GOAWAY {code:#x}, expected {[hex(x) for x in codes]}"
                return
            if got[0] == HEADERS:
                status = dict(decoder.decode(got[3]))[":status"]
                if got[2] == stream:
                    assert int(status) in statuses, f"answered {status}"
                    return
    return expect


def answers(stream, status="200"):
    def expect(c):
        got = c.until(lambda f: f[0] == HEADERS and f[2] == stream)
        assert got is not None, "the connection ended"
        fields = dict(hpack.Decoder().decode(got[3]))
        assert fields[":status"] == status, fields
    return expect


def closes(c):
    """Ends the connection, with whatever words."""
    assert c.until(lambda f: False) is None


def fields(**changes):
    base = {":method": "GET", ":scheme": "https", ":authority": "localhost", ":path": "/1k.bin"}
    base.update(changes)
    return [(k, v) for k, v in base.items() if v is not None]


def settings(identifier, value):
    return frame(SETTINGS, payload=struct.pack(">HI", identifier, value))


def malformed(list_of_fields):
    return lambda c: c.send(c.request(1, list_of_fields))


def sends(*parts):
    return lambda c: c.send(b"".join(p(c) if callable(p) else p for p in parts))


def get(stream, **more):
    return lambda c: c.request(stream, **more)


MALFORMED = ends_stream(1, PROTOCOL_ERROR, statuses=(400,))
CASES = [
    # Frames in the wrong place.
    ("data_on_stream_0", sends(frame(DATA, payload=b"x")), ends_connection(PROTOCOL_ERROR)),
    ("headers_on_stream_0", sends(get(0)), ends_connection(PROTOCOL_ERROR)),
    ("headers_on_an_even_stream", sends(get(2)), ends_connection(PROTOCOL_ERROR)),
    ("stream_ids_going_back", sends(get(5), get(3)), ends_connection(PROTOCOL_ERROR, STREAM_CLOSED)),
    ("data_on_an_idle_stream", sends(frame(DATA, stream=1, payload=b"x")), ends_connection(PROTOCOL_ERROR)),
    ("rst_stream_on_an_idle_stream", sends(frame(RST_STREAM, stream=1, payload=b"\0\0\0\0")), ends_connection(PROTOCOL_ERROR)),
    ("rst_stream_on_stream_0", sends(frame(RST_STREAM, payload=b"\0\0\0\0")), ends_connection(PROTOCOL_ERROR)),
    ("window_update_on_an_idle_stream", sends(frame(WINDOW_UPDATE, stream=1, payload=b"\0\0\0\1")), ends_connection(PROTOCOL_ERROR)),
    ("settings_on_a_stream", sends(frame(SETTINGS, stream=1)), ends_connection(PROTOCOL_ERROR)),
    ("ping_on_a_stream", sends(frame(PING, stream=1, payload=bytes(8))), ends_connection(PROTOCOL_ERROR)),
    ("goaway_on_a_stream", sends(frame(GOAWAY, stream=1, payload=bytes(8))), ends_connection(PROTOCOL_ERROR)),
    ("priority_on_stream_0", sends(frame(PRIORITY, payload=bytes(5))), ends_connection(PROTOCOL_ERROR)),
    ("push_promise_by_a_client", sends(get(1, flags=END_HEADERS), frame(PUSH_PROMISE, END_HEADERS, 1, struct.pack(">I", 2) + b"\x82")), ends_connection(PROTOCOL_ERROR)),
    ("continuation_without_headers", sends(frame(CONTINUATION, END_HEADERS, 1, b"\x82")), ends_connection(PROTOCOL_ERROR)),
    ("data_within_a_header_section", sends(get(1, flags=0), frame(DATA, stream=1, payload=b"x")), ends_connection(PROTOCOL_ERROR)),
    ("continuation_of_another_stream", sends(get(1, flags=0), frame(CONTINUATION, END_HEADERS, 3, b"\x82")), ends_connection(PROTOCOL_ERROR)),
    ("data_after_the_end", sends(get(1), frame(DATA, stream=1, payload=b"x")), ends_stream(1, STREAM_CLOSED, statuses=(200,))),
    ("headers_after_the_end", sends(get(1), get(1)), ends_stream(1, STREAM_CLOSED, PROTOCOL_ERROR, statuses=(200,))),
    # Frames of the wrong size.
    ("rst_stream_too_short", sends(get(1, flags=END_HEADERS), frame(RST_STREAM, stream=1, payload=b"\0\0\0")), ends_connection(FRAME_SIZE_ERROR)),
    ("window_update_too_short", sends(frame(WINDOW_UPDATE, payload=b"\0\0\1")), ends_connection(FRAME_SIZE_ERROR)),
    ("settings_of_a_broken_size", sends(frame(SETTINGS, payload=bytes(5))), ends_connection(FRAME_SIZE_ERROR)),
    ("settings_ack_with_contents", sends(frame(SETTINGS, ACK, payload=bytes(6))), ends_connection(FRAME_SIZE_ERROR)),
    ("ping_too_short", sends(frame(PING, payload=bytes(7))), ends_connection(FRAME_SIZE_ERROR)),
    ("goaway_too_short", sends(frame(GOAWAY, payload=bytes(7))), ends_connection(FRAME_SIZE_ERROR)),
    ("frame_beyond_the_maximum", sends(get(1, flags=END_HEADERS), frame(DATA, stream=1, payload=bytes(16385))), ends_connection(FRAME_SIZE_ERROR)),
    ("data_padded_beyond_its_size", sends(get(1, flags=END_HEADERS), frame(DATA, PADDED, 1, b"\x05abc")), ends_connection(PROTOCOL_ERROR)),
    ("headers_padded_beyond_their_size", sends(frame(HEADERS, END_HEADERS | PADDED, 1, b"\x20\x82")), ends_connection(PROTOCOL_ERROR)),
    # Values.
    ("window_update_by_0", sends(frame(WINDOW_UPDATE, payload=bytes(4))), ends_connection(PROTOCOL_ERROR)),
    ("window_update_of_a_stream_by_0", sends(get(1, flags=END_HEADERS), frame(WINDOW_UPDATE, stream=1, payload=bytes(4))), ends_stream(1, PROTOCOL_ERROR)),
    ("connection_window_too_large", sends(frame(WINDOW_UPDATE, payload=b"\x7f\xff\xff\xff")), ends_connection(FLOW_CONTROL_ERROR)),
    ("stream_window_too_large", sends(get(1, flags=END_HEADERS, method="POST"), frame(WINDOW_UPDATE, stream=1, payload=b"\x7f\xff\xff\xff")),
     ends_stream(1, FLOW_CONTROL_ERROR, statuses=(405,))),
    ("enable_push_2", sends(settings(2, 2)), ends_connection(PROTOCOL_ERROR)),
    ("initial_window_too_large", sends(settings(4, 1 << 31)), ends_connection(FLOW_CONTROL_ERROR)),
    ("max_frame_size_too_small", sends(settings(5, 16383)), ends_connection(PROTOCOL_ERROR)),
    ("max_frame_size_too_large", sends(settings(5, 1 << 24)), ends_connection(PROTOCOL_ERROR)),
    # Header compression.
    ("hpack_index_0", sends(frame(HEADERS, END_HEADERS | END_STREAM, 1, b"\x80")), ends_connection(COMPRESSION_ERROR)),
    ("hpack_index_beyond_the_table", sends(frame(HEADERS, END_HEADERS | END_STREAM, 1, b"\xff\x80\x01")), ends_connection(COMPRESSION_ERROR)),
    ("hpack_table_beyond_the_limit", sends(frame(HEADERS, END_HEADERS | END_STREAM, 1, b"\x3f\xff\xff\xff\x0f\x82")), ends_connection(COMPRESSION_ERROR)),
    ("hpack_string_cut_off", sends(frame(HEADERS, END_HEADERS | END_STREAM, 1, b"\x82\x44\x7f")), ends_connection(COMPRESSION_ERROR)),
    ("hpack_integer_without_end", sends(frame(HEADERS, END_HEADERS | END_STREAM, 1, b"\xff" + b"\xff" * 20)), ends_connection(COMPRESSION_ERROR)),
    # Malformed requests (8.1.1).
    ("name_in_upper_case", malformed(fields() + [("X-Upper", "1")]), MALFORMED),
    ("no_method", malformed(fields(**{":method": None})), MALFORMED),
    ("no_scheme", malformed(fields(**{":scheme": None})), MALFORMED),
    ("no_path", malformed(fields(**{":path": None})), MALFORMED),
    ("empty_path", malformed(fields(**{":path": ""})), MALFORMED),
    ("two_paths", malformed(fields() + [(":path", "/x")]), MALFORMED),
    ("unknown_pseudo_field", malformed(fields(**{":fly": "1"})), MALFORMED),
    ("pseudo_field_of_responses", malformed(fields(**{":status": "200"})), MALFORMED),
    ("pseudo_field_after_a_field", malformed([(":method", "GET"), ("a", "b"), (":scheme", "https"), (":authority", "x"), (":path", "/")]), MALFORMED),
    ("connection_field", malformed(fields(connection="close")), MALFORMED),
    ("transfer_encoding", malformed(fields(**{"transfer-encoding": "chunked"})), MALFORMED),
    ("te_but_trailers", malformed(fields(te="gzip")), MALFORMED),
    ("line_break_in_a_value", malformed(fields(a="b\r\nc: d")), MALFORMED),
    ("space_in_a_path", malformed(fields(**{":path": "/a b"})), MALFORMED),
    ("length_beyond_the_body", lambda c: c.send(c.request(1, fields(**{":method": "POST", "content-length": "5"}), END_HEADERS) + frame(DATA, END_STREAM, 1, b"four")),
     ends_stream(1, PROTOCOL_ERROR, statuses=(400, 405))),
    ("length_short_of_the_body", lambda c: c.send(c.request(1, fields(**{":method": "POST", "content-length": "3"}), END_HEADERS) + frame(DATA, END_STREAM, 1, b"four")),
     ends_stream(1, PROTOCOL_ERROR, statuses=(400, 405))),
    ("trailers_without_end", lambda c: c.send(c.request(1, fields(**{":method": "POST"}), END_HEADERS) + c.request(1, [("a", "b")], END_HEADERS)),
     ends_stream(1, PROTOCOL_ERROR, statuses=(405,))),
    # Floods.
    ("rapid_reset", lambda c: [c.send(c.request(i) + frame(RST_STREAM, stream=i, payload=b"\0\0\0\x08")) for i in range(1, 4001, 2)], ends_connection(ENHANCE_YOUR_CALM)),
    ("settings_flood", lambda c: c.send(settings(3, 100) * 20000), closes),
    ("ping_flood", lambda c: c.send(frame(PING, payload=bytes(8)) * 20000), closes),
    ("continuation_flood", lambda c: c.send(c.request(1, flags=0) + frame(CONTINUATION, 0, 1, b"\x00\x01a\x01b" * 10) * 2000), closes),
    ("header_section_too_large", lambda c: c.send(c.request(1, fields() + [("a", "x" * 3000)] * 4) + b"".join(c.request(i, fields() + [("b", "y" * 8000)] * 2) for i in range(3, 5, 2))),
     answers(1)),
    ("too_many_streams", lambda c: [c.send(c.request(i, flags=END_HEADERS, method="POST")) for i in range(1, 1001, 2)], lambda c: too_many(c)),
    # What must be taken.
    ("a_proper_request", sends(get(1)), answers(1)),
    ("unknown_frames_and_settings", sends(frame(0xBE, 0xFF, 0, b"grease"), settings(0x7A7A, 1), frame(0xEF, 0, 7, b""), get(1)), answers(1)),
    ("priority_of_an_idle_stream", sends(frame(PRIORITY, stream=9, payload=bytes(5)), get(1)), answers(1)),
    ("padding", lambda c: c.send(frame(HEADERS, END_HEADERS | END_STREAM | PADDED, 1, b"\x10" + c.encoder.encode(fields()) + bytes(16))), answers(1)),
    ("header_section_in_pieces", lambda c: pieces(c), answers(1)),
    ("ping_is_answered", sends(frame(PING, payload=b"12345678")), lambda c: check_ping(c)),
]


def pieces(c):
    block = c.encoder.encode(fields())
    c.send(frame(HEADERS, END_STREAM, 1, block[:3]) + frame(CONTINUATION, 0, 1, block[3:5]) + frame(CONTINUATION, END_HEADERS, 1, block[5:]))


def check_ping(c):
    got = c.until(lambda f: f[0] == PING)
    assert got is not None and got[1] & ACK and got[3] == b"12345678", got


def too_many(c):
    """More streams than SETTINGS_MAX_CONCURRENT_STREAMS: refused, or answered because the others are over by then."""
    decoder = hpack.Decoder()
    seen = set()
    while len(seen) < 500:
        got = c.read()
        if got is None or got[0] == GOAWAY:
            return
        if got[0] == HEADERS:
            assert dict(decoder.decode(got[3]))[":status"] == "405"
            seen.add(got[2])
        if got[0] == RST_STREAM:
            assert int.from_bytes(got[3], "big") in (REFUSED_STREAM, PROTOCOL_ERROR, NO_ERROR), got
            seen.add(got[2])


def failures(port):
    """Plays every case; returns a line for each that went wrong."""
    wrong = []
    for name, act, expect in CASES:
        connection = Connection(port)
        try:
            act(connection)
            expect(connection)
        except (AssertionError, KeyError, hpack.HPACKError) as error:
            wrong.append(f"{name}: {error!r}")
        finally:
            connection.socket.close()
    bad_preface = Connection(port, begin=False)
    bad_preface.send(b"PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n" + frame(SETTINGS))
    try:
        closes(bad_preface)
    except AssertionError as error:
        wrong.append(f"bad_preface: {error!r}")
    bad_preface.socket.close()
    return wrong


if __name__ == "__main__":
    import sys

    lines = failures(int(sys.argv[1]))
    print("\n".join(lines))
    print(f"{len(CASES) + 1 - len(lines)} passed, {len(lines)} failed")
    sys.exit(bool(lines))
