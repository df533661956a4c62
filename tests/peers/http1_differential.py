"""Requests that intermediaries read differently (request smuggling), sent to tandem and to nginx: tandem refuses what nginx refuses, and
where both answer they see the same number of requests. Returns a line for each case where that is not so.
"""

import concurrent.futures
import socket
import ssl

TIMEOUT = 3  # seconds
AT_A_TIME = 8  # most cases wait for a connection that stays open
HOST = b"Host: localhost\r\n"
# The second request: answered 404 where it is taken for a request of its own.
NEXT = b"GET /smuggled-none HTTP/1.1\r\n" + HOST + b"Connection: close\r\n\r\n"


def request(first_line=b"GET /index.html HTTP/1.1", fields=b"", body=b"", host=HOST, end=b"\r\n"):
    return first_line + end + host + fields + end + body


POST = b"POST /index.html HTTP/1.1"
CHUNKED = b"Transfer-Encoding: chunked\r\n"
CASES = {
    "plain": request(),
    "http_1_0": request(b"GET /index.html HTTP/1.0"),
    "absolute_form": request(b"GET http://localhost/index.html HTTP/1.1"),
    "empty_line_first": b"\r\n" + request(),
    # Two lengths.
    "length_and_chunked": request(POST, b"Content-Length: 4\r\n" + CHUNKED, b"0\r\n\r\n"),
    "chunked_and_length": request(POST, CHUNKED + b"Content-Length: 4\r\n", b"0\r\n\r\n"),
    "two_lengths": request(POST, b"Content-Length: 4\r\nContent-Length: 5\r\n", b"abcd"),
    "two_equal_lengths": request(POST, b"Content-Length: 4\r\nContent-Length: 4\r\n", b"abcd"),
    "list_of_lengths": request(POST, b"Content-Length: 4, 4\r\n", b"abcd"),
    "list_of_other_lengths": request(POST, b"Content-Length: 4, 5\r\n", b"abcd"),
    # Lengths that are no numbers.
    "length_with_plus": request(POST, b"Content-Length: +4\r\n", b"abcd"),
    "length_negative": request(POST, b"Content-Length: -4\r\n", b"abcd"),
    "length_hexadecimal": request(POST, b"Content-Length: 0x4\r\n", b"abcd"),
    "length_with_space": request(POST, b"Content-Length: 4 4\r\n", b"abcd"),
    "length_empty": request(POST, b"Content-Length: \r\n"),
    "length_too_large": request(POST, b"Content-Length: 99999999999999999999\r\n"),
    "length_of_64_bits": request(POST, b"Content-Length: 18446744073709551620\r\n", b"abcd"),
    "length_with_underscore": request(POST, b"Content-Length: 1_0\r\n", b"abcd"),
    "length_with_form_feed": request(POST, b"Content-Length: \x0c4\r\n", b"abcd"),
    "length_with_trailing_comma": request(POST, b"Content-Length: 4,\r\n", b"abcd"),
    "length_with_decimal_point": request(POST, b"Content-Length: 4.0\r\n", b"abcd"),
    "length_with_exponent": request(POST, b"Content-Length: 4e0\r\n", b"abcd"),
    "length_octal": request(POST, b"Content-Length: 04\r\n", b"abcd"),
    "length_with_nul": request(POST, b"Content-Length: 4\0\r\n", b"abcd"),
    "length_with_semicolon": request(POST, b"Content-Length: 4;a=b\r\n", b"abcd"),
    "length_in_wide_digits": request(POST, "Content-Length: ４\r\n".encode(), b"abcd"),
    "length_negative_zero": request(POST, b"Content-Length: -0\r\n"),
    "length_hidden_by_line_feed": request(POST, b"X: y\nContent-Length: 4\r\n", b"abcd"),
    "length_hidden_by_carriage_return": request(POST, b"X: y\rContent-Length: 4\r\n", b"abcd"),
    "length_with_underscore_in_name": request(POST, b"Content_Length: 4\r\n"),
    "length_with_tab_before_name": request(POST, b"\tContent-Length: 4\r\n", b"abcd"),
    "length_with_tab_before_colon": request(POST, b"Content-Length\t: 4\r\n", b"abcd"),
    "length_of_get": request(fields=b"Content-Length: 4\r\n", body=b"abcd"),
    "length_of_head": request(b"HEAD /index.html HTTP/1.1", b"Content-Length: 4\r\n", b"abcd"),
    # Transfer codings.
    "chunked_twice": request(POST, CHUNKED + CHUNKED, b"0\r\n\r\n"),
    "chunked_listed_twice": request(POST, b"Transfer-Encoding: chunked, chunked\r\n", b"0\r\n\r\n"),
    "identity": request(POST, b"Transfer-Encoding: identity\r\n"),
    "identity_then_chunked": request(POST, b"Transfer-Encoding: identity, chunked\r\n", b"0\r\n\r\n"),
    "chunked_then_gzip": request(POST, b"Transfer-Encoding: chunked, gzip\r\n", b"0\r\n\r\n"),
    "gzip_then_chunked": request(POST, b"Transfer-Encoding: gzip, chunked\r\n", b"0\r\n\r\n"),
    "chunked_quoted": request(POST, b'Transfer-Encoding: "chunked"\r\n', b"0\r\n\r\n"),
    "chunked_with_parameter": request(POST, b"Transfer-Encoding: chunked;q=1\r\n", b"0\r\n\r\n"),
    "chunked_misspelt": request(POST, b"Transfer-Encoding: xchunked\r\n", b"0\r\n\r\n"),
    "chunked_with_vertical_tab": request(POST, b"Transfer-Encoding: \x0bchunked\r\n", b"0\r\n\r\n"),
    "chunked_with_nul": request(POST, b"Transfer-Encoding: chunked\0\r\n", b"0\r\n\r\n"),
    "chunked_in_http_1_0": request(b"POST /index.html HTTP/1.0", CHUNKED, b"0\r\n\r\n"),
    "chunked_in_upper_case": request(POST, b"Transfer-Encoding: CHUNKED\r\n", b"0\r\n\r\n"),
    "chunked_empty": request(POST, b"Transfer-Encoding: \r\n"),
    "chunked_with_comma_before": request(POST, b"Transfer-Encoding: , chunked\r\n", b"0\r\n\r\n"),
    "chunked_with_comma_after": request(POST, b"Transfer-Encoding: chunked,\r\n", b"0\r\n\r\n"),
    "chunked_then_identity_in_two_lines": request(POST, CHUNKED + b"Transfer-Encoding: identity\r\n", b"0\r\n\r\n"),
    "chunked_with_tab": request(POST, b"Transfer-Encoding:\tchunked\r\n", b"0\r\n\r\n"),
    "chunked_without_space": request(POST, b"Transfer-Encoding:chunked\r\n", b"0\r\n\r\n"),
    "chunked_with_space_in_name": request(POST, b"Transfer Encoding: chunked\r\n", b"0\r\n\r\n"),
    "chunked_with_underscore_in_name": request(POST, b"Transfer_Encoding: chunked\r\n"),
    "chunked_with_space_before_colon": request(POST, b"Transfer-Encoding : chunked\r\n", b"0\r\n\r\n"),
    "chunked_with_line_feed_in_value": request(POST, b"Transfer-Encoding: \nchunked\r\n", b"0\r\n\r\n"),
    "chunked_with_carriage_return_in_name": request(POST, b"Transfer-\rEncoding: chunked\r\n", b"0\r\n\r\n"),
    "chunked_hidden_by_line_feed": request(POST, b"X: y\nTransfer-Encoding: chunked\r\n", b"0\r\n\r\n"),
    "chunked_of_get": request(fields=CHUNKED, body=b"0\r\n\r\n"),
    "chunked_behind_backslash": request(POST, b"Transfer-Encoding: \\chunked\r\n", b"0\r\n\r\n"),
    # Chunks.
    "chunks": request(POST, CHUNKED, b"4\r\nabcd\r\n0\r\n\r\n"),
    "chunk_size_in_upper_case": request(POST, CHUNKED, b"A\r\nabcdefghij\r\n0\r\n\r\n"),
    "chunk_size_with_leading_zeros": request(POST, CHUNKED, b"0004\r\nabcd\r\n0\r\n\r\n"),
    "chunk_size_with_prefix": request(POST, CHUNKED, b"0x4\r\nabcd\r\n0\r\n\r\n"),
    "chunk_size_negative": request(POST, CHUNKED, b"-4\r\nabcd\r\n0\r\n\r\n"),
    "chunk_size_with_plus": request(POST, CHUNKED, b"+4\r\nabcd\r\n0\r\n\r\n"),
    "chunk_size_empty": request(POST, CHUNKED, b"\r\nabcd\r\n0\r\n\r\n"),
    "chunk_size_too_large": request(POST, CHUNKED, b"fffffffffffffffff\r\nabcd\r\n0\r\n\r\n"),
    "chunk_size_wraps": request(POST, CHUNKED, b"10000000000000004\r\nabcd\r\n0\r\n\r\n"),
    "chunk_size_with_space_before": request(POST, CHUNKED, b" 4\r\nabcd\r\n0\r\n\r\n"),
    "chunk_with_extension": request(POST, CHUNKED, b"4;a=b\r\nabcd\r\n0\r\n\r\n"),
    "chunk_with_line_feed_in_extension": request(POST, CHUNKED, b"4;a\nb\r\nabcd\r\n0\r\n\r\n"),
    "chunk_data_too_long": request(POST, CHUNKED, b"4\r\nabcdef\r\n0\r\n\r\n"),
    "chunk_data_without_line_end": request(POST, CHUNKED, b"4\r\nabcd0\r\n\r\n"),
    "chunk_ends_with_line_feed_only": request(POST, CHUNKED, b"4\nabcd\n0\n\n"),
    "chunk_ends_with_carriage_return_only": request(POST, CHUNKED, b"4\rabcd\r0\r\r"),
    "chunk_size_with_space_after": request(POST, CHUNKED, b"4 \r\nabcd\r\n0\r\n\r\n"),
    "chunk_size_with_tab_after": request(POST, CHUNKED, b"4\t\r\nabcd\r\n0\r\n\r\n"),
    "chunk_size_with_underscore": request(POST, CHUNKED, b"0_4\r\nabcd\r\n0\r\n\r\n"),
    "chunk_size_with_many_zeros": request(POST, CHUNKED, b"0" * 40 + b"4\r\nabcd\r\n0\r\n\r\n"),
    "chunk_size_of_63_bits": request(POST, CHUNKED, b"7fffffffffffffff\r\nabcd"),
    "chunk_size_of_64_bits": request(POST, CHUNKED, b"ffffffffffffffff\r\nabcd\r\n0\r\n\r\n"),
    "chunk_size_in_wide_digits": request(POST, CHUNKED, "４\r\nabcd\r\n0\r\n\r\n".encode()),
    "chunk_extension_quoted": request(POST, CHUNKED, b'4;a="b"\r\nabcd\r\n0\r\n\r\n'),
    "chunk_extension_with_line_end_in_quotes": request(POST, CHUNKED, b'4;a="\r\nabcd\r\n0\r\n\r\n'),
    "chunk_extension_with_carriage_return": request(POST, CHUNKED, b"4;a\rb\r\nabcd\r\n0\r\n\r\n"),
    "chunk_extension_with_nul": request(POST, CHUNKED, b"4;a\0b\r\nabcd\r\n0\r\n\r\n"),
    "chunk_extension_of_the_last": request(POST, CHUNKED, b"4\r\nabcd\r\n0;a=b\r\n\r\n"),
    "chunk_last_with_many_zeros": request(POST, CHUNKED, b"4\r\nabcd\r\n0000\r\n\r\n"),
    "chunk_last_ends_with_line_feed_only": request(POST, CHUNKED, b"4\r\nabcd\r\n0\n\r\n"),
    "chunk_data_ends_with_line_feed_only": request(POST, CHUNKED, b"4\r\nabcd\n0\r\n\r\n"),
    "chunk_data_ends_with_other_bytes": request(POST, CHUNKED, b"4\r\nabcdXX0\r\n\r\n"),
    "chunk_data_too_short": request(POST, CHUNKED, b"4\r\nab\r\n0\r\n\r\n"),
    "trailers_end_with_line_feed_only": request(POST, CHUNKED, b"0\r\na: b\n\r\n"),
    "trailer_without_colon": request(POST, CHUNKED, b"0\r\nnothing\r\n\r\n"),
    "trailer_folded": request(POST, CHUNKED, b"0\r\na: b\r\n c\r\n\r\n"),
    "trailer_with_length": request(POST, CHUNKED, b"0\r\nContent-Length: 40\r\n\r\n"),
    "trailer_with_transfer_encoding": request(POST, CHUNKED, b"0\r\nTransfer-Encoding: chunked\r\n\r\n"),
    "trailer_with_nul": request(POST, CHUNKED, b"0\r\na: b\0\r\n\r\n"),
    "trailers": request(POST, CHUNKED, b"0\r\na: b\r\n\r\n"),
    # Field lines.
    "space_before_colon": request(fields=b"A : b\r\n"),
    "space_before_colon_of_length": request(POST, b"Content-Length : 4\r\n", b"abcd"),
    "folded_line": request(fields=b"A: b\r\n c\r\n"),
    "folded_transfer_encoding": request(POST, b"Transfer-Encoding:\r\n chunked\r\n", b"0\r\n\r\n"),
    "first_field_folded": b"GET /index.html HTTP/1.1\r\n " + HOST + b"\r\n",
    "no_colon": request(fields=b"nothing\r\n"),
    "empty_name": request(fields=b": b\r\n"),
    "nul_in_value": request(fields=b"A: b\0c\r\n"),
    "carriage_return_in_value": request(fields=b"A: b\rc: d\r\n"),
    "bare_carriage_return_line": request(fields=b"A: b\rContent-Length: 4\r\n", body=b""),
    "name_with_control": request(fields=b"A\x01: b\r\n"),
    "name_with_parenthesis": request(fields=b"A(b): c\r\n"),
    "name_with_bytes_above_127": request(fields="Ä: b\r\n".encode()),
    "line_feeds_only": b"GET /index.html HTTP/1.1\nHost: localhost\n\n",
    # Host.
    "no_host": request(host=b""),
    "two_hosts": request(fields=b"Host: other\r\n"),
    "host_with_user": request(host=b"Host: a@localhost\r\n"),
    "host_with_slash": request(host=b"Host: local/host\r\n"),
    "host_empty": request(host=b"Host: \r\n"),
    "host_with_bad_port": request(host=b"Host: localhost:x\r\n"),
    "host_with_port_too_large": request(host=b"Host: localhost:99999\r\n"),
    "host_with_space": request(host=b"Host: local host\r\n"),
    "host_with_tab": request(host=b"Host: localhost\tother\r\n"),
    "host_with_comma": request(host=b"Host: localhost,other\r\n"),
    "host_with_nul": request(host=b"Host: localhost\0\r\n"),
    "host_with_space_before_colon": request(host=b"Host : localhost\r\n"),
    "host_and_host_with_space_before_colon": request(fields=b"Host : other\r\n"),
    "host_unclosed_bracket": request(host=b"Host: [::1\r\n"),
    "host_other_than_target": request(b"GET http://localhost/index.html HTTP/1.1", host=b"Host: other\r\n"),
    "host_missing_with_absolute_form": request(b"GET http://localhost/index.html HTTP/1.1", host=b""),
    # The first line.
    "two_spaces": request(b"GET  /index.html HTTP/1.1"),
    "tab_for_space": request(b"GET\t/index.html HTTP/1.1"),
    "space_at_the_end": request(b"GET /index.html HTTP/1.1 "),
    "space_in_the_target": request(b"GET /index .html HTTP/1.1"),
    "version_0_9": b"GET /index.html\r\n",
    "version_1_2": request(b"GET /index.html HTTP/1.2"),
    "version_2": request(b"GET /index.html HTTP/2.0"),
    "version_lower_case": request(b"GET /index.html http/1.1"),
    "version_with_zeros": request(b"GET /index.html HTTP/01.1"),
    "method_with_control": request(b"G\x01T /index.html HTTP/1.1"),
    "target_relative": request(b"GET index.html HTTP/1.1"),
    "target_with_fragment": request(b"GET /index.html#x HTTP/1.1"),
    "target_with_nul": request(b"GET /index\0.html HTTP/1.1"),
    "target_upwards": request(b"GET /../index.html HTTP/1.1"),
    "target_upwards_encoded": request(b"GET /%2e%2e/%2e%2e/etc/passwd HTTP/1.1"),
    "target_with_nul_encoded": request(b"GET /index%00.html HTTP/1.1"),
    "bare_line_feed_after_first_line": b"GET /index.html HTTP/1.1\n" + HOST + b"\r\n",
    "carriage_return_twice_at_the_end": b"GET /index.html HTTP/1.1\r\n" + HOST + b"\r\r\n",
    "carriage_return_at_the_end_of_the_first_line": b"GET /index.html HTTP/1.1\r\r\n" + HOST + b"\r\n",
    "line_feed_then_line_end": b"GET /index.html HTTP/1.1\r\n" + HOST + b"\n\r\n",
    "target_with_user": request(b"GET http://a@localhost/index.html HTTP/1.1"),
    "target_with_other_scheme": request(b"GET ftp://localhost/index.html HTTP/1.1"),
    "target_with_empty_host": request(b"GET http:///index.html HTTP/1.1"),
    "target_with_backslash": request(b"GET \\index.html HTTP/1.1"),
    "target_asterisk_of_get": request(b"GET * HTTP/1.1"),
    "target_authority_of_get": request(b"GET localhost:80 HTTP/1.1"),
    "target_with_line_feed": request(b"GET /index\n.html HTTP/1.1"),
    "target_with_carriage_return": request(b"GET /index\r.html HTTP/1.1"),
    "target_with_vertical_tab": request(b"GET /index\x0b.html HTTP/1.1"),
    "target_with_bytes_above_127": request("GET /ïndex.html HTTP/1.1".encode()),
    "connect": request(b"CONNECT localhost:443 HTTP/1.1"),
    "connect_with_length": request(b"CONNECT localhost:443 HTTP/1.1", b"Content-Length: 4\r\n", b"abcd"),
    "trace": request(b"TRACE /index.html HTTP/1.1"),
    "method_lower_case": request(b"get /index.html HTTP/1.1"),
    "method_with_colon": request(b"GET: /index.html HTTP/1.1"),
    "method_missing": request(b" /index.html HTTP/1.1"),
    "space_before_method": request(b" GET /index.html HTTP/1.1"),
    "version_1_10": request(b"GET /index.html HTTP/1.10"),
    "version_1_without_minor": request(b"GET /index.html HTTP/1"),
    "version_with_line_feed": request(b"GET /index.html HTTP/1.1\nX: y"),
    "version_in_wide_digits": request("GET /index.html HTTP/１.1".encode()),
    "empty_lines_first": b"\r\n\r\n\r\n" + request(),
    "line_feeds_first": b"\n\n" + request(),
    "expectation_unknown": request(POST, b"Expect: 200-ok\r\nContent-Length: 4\r\n", b"abcd"),
    "expectation_and_chunked": request(POST, b"Expect: 100-continue\r\n" + CHUNKED, b"4\r\nabcd\r\n0\r\n\r\n"),
    "upgrade_to_h2c": request(fields=b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n"),
    "upgrade_with_body": request(POST, b"Connection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 4\r\n", b"abcd"),
    "connection_names_length": request(POST, b"Connection: Content-Length\r\nContent-Length: 4\r\n", b"abcd"),
    "connection_names_transfer_encoding": request(POST, b"Connection: Transfer-Encoding\r\n" + CHUNKED, b"0\r\n\r\n"),
    "preface_of_http2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
}


# Where the request ends is beyond doubt, whatever it asks for.
WELL_FRAMED = {"target_upwards", "target_upwards_encoded", "target_with_nul_encoded", "trace", "method_lower_case"}


def statuses(port, octets):
    """The statuses of the responses that come, in order, and whether the server then ended the connection."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols(["http/1.1"])
    got = b""
    closed = False
    with context.wrap_socket(socket.create_connection(("127.0.0.1", port), TIMEOUT)) as connection:
        connection.settimeout(TIMEOUT)
        try:
            connection.sendall(octets + NEXT)
            while more := connection.recv(65536):
                got += more
            closed = True
        except TimeoutError:
            pass
        except OSError:
            closed = True
    found = []
    while got.startswith(b"HTTP/1.1 ") or got.startswith(b"HTTP/1.0 "):
        found.append(int(got[9:12]))
        head, _, rest = got.partition(b"\r\n\r\n")
        length = 0
        for line in head.lower().split(b"\r\n"):
            if line.startswith(b"content-length:"):
                length = int(line.split(b":")[1])
        got = rest[length:]
    return found, closed


def differences(ours, theirs):
    wrong = []
    with concurrent.futures.ThreadPoolExecutor(AT_A_TIME) as pool:
        of_ours = pool.map(lambda octets: statuses(ours, octets), CASES.values())
        of_theirs = pool.map(lambda octets: statuses(theirs, octets), CASES.values())
        answers = list(zip(CASES, of_ours, of_theirs))
    for name, (a, closed), (b, _) in answers:
        ended = closed and len(a) == 1  # an answer, and no request is read behind it
        refused = not a or (400 <= a[0] <= 599 and a[0] not in (404, 405))
        refused_there = not b or (400 <= b[0] <= 599 and b[0] not in (404, 405))
        if refused:
            if name in ("plain", "http_1_0", "absolute_form", "chunks", "trailers", "chunk_with_extension"):
                wrong.append(f"{name}: refused with {a}")
            elif len(a) > 1 and name not in WELL_FRAMED:
                wrong.append(f"{name}: refused, and what follows was taken for a request: {a}")
        elif refused_there:
            if name in WELL_FRAMED or ended:
                continue
            wrong.append(f"{name}: {a}, but nginx refuses it with {b}")
        elif len(a) != len(b) and name not in WELL_FRAMED and not ended:
            wrong.append(f"{name}: {len(a)} requests {a}, nginx sees {len(b)} {b}")
    return wrong


if __name__ == "__main__":
    import sys

    lines = differences(int(sys.argv[1]), int(sys.argv[2]))
    print("\n".join(lines))
    print(f"{len(CASES) - len(lines)} passed, {len(lines)} failed")
    sys.exit(bool(lines))
