#!/usr/bin/python3
"""HTTP datagrams (RFC 9297) against other people's, both ways round, with the programs of examples/: HTTP/3 against aioquic, with datagrams in QUIC
and with a peer that takes none; HTTP/2 and HTTP/1.1 against capsules made here.

  datagrams.py DIRECTORY    where example_datagram_server and example_datagram_client are

One line for each case; exits with 1 if one fails. TANDEM_PEERS: where aioquic is, as tests/peers/run fetches it; it is left out if it is not there.
TANDEM: the program, whose UDP proxy is tried.
"""
import os
import pathlib
import socket
import ssl
import struct
import subprocess
import sys
import tempfile
import threading
import time

import hpack

DEADLINE = 30
HERE = pathlib.Path(__file__).resolve().parent
AIOQUIC = pathlib.Path(os.environ.get("TANDEM_PEERS", "build/peers")).absolute() / "aioquic"
failures = 0


def case(name, work, *arguments):
    global failures
    try:
        work(*arguments)
        print(f"ok      datagrams {name}")
    except Exception as e:  # whatever went wrong, the other cases are of interest too
        failures += 1
        print(f"FAILED  datagrams {name}: {e!r}")


def capsule(payload, kind=0):
    def varint(value):
        return bytes([value]) if value < 64 else struct.pack(">H", 0x4000 | value)
    return varint(kind) + varint(len(payload)) + payload


STREAM = capsule(b"first") + capsule(b"?" * 300, 0x2575) + capsule(b"") + capsule(b"last")  # one is unknown
ANSWER = capsule(b"first") + capsule(b"") + capsule(b"last")


def connect(port, certificate, alpn):
    context = ssl.create_default_context(cafile=certificate)
    context.set_alpn_protocols([alpn])
    peer = context.wrap_socket(socket.create_connection(("127.0.0.1", port), DEADLINE), server_hostname="localhost")
    assert peer.selected_alpn_protocol() == alpn
    return peer


def read_until(peer, enough):
    heard = b""
    while not enough(heard):
        more = peer.recv(65536)
        assert more, f"the server ended after {heard!r}"
        heard += more
    return heard


def over_http1(port, certificate):
    with connect(port, certificate, "http/1.1") as peer:
        peer.sendall(b"GET /echo HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: echo\r\nCapsule-Protocol: ?1\r\n\r\n")
        head, rest = read_until(peer, lambda heard: b"\r\n\r\n" in heard).split(b"\r\n\r\n", 1)
        assert head.startswith(b"HTTP/1.1 101 ") and b"\r\ncapsule-protocol: ?1" in head, head
        peer.sendall(STREAM)
        rest += read_until(peer, lambda heard: len(rest + heard) >= len(ANSWER))
        assert rest == ANSWER, rest


def http2_frames(data):
    while len(data) >= 9:
        size = int.from_bytes(data[:3], "big")
        if len(data) < 9 + size:
            return
        yield data[3], data[4], int.from_bytes(data[5:9], "big"), data[9:9 + size]
        data = data[9 + size:]


def over_http2(port, certificate):
    def frame(kind, flags, stream, payload=b""):
        return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload

    fields = [(":method", "CONNECT"), (":protocol", "echo"), (":scheme", "https"), (":authority", "localhost"), (":path", "/echo"),
              ("capsule-protocol", "?1")]
    with connect(port, certificate, "h2") as peer:
        peer.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(4, 0, 0) + frame(1, 4, 1, hpack.Encoder().encode(fields)) + frame(0, 0, 1, STREAM))

        def came(heard):
            return b"".join(payload for kind, _, stream, payload in http2_frames(heard) if kind == 0 and stream == 1)

        heard = read_until(peer, lambda so_far: len(came(so_far)) >= len(ANSWER))
        answer = next(payload for kind, _, stream, payload in http2_frames(heard) if kind == 1)
        answer = dict(hpack.Decoder().decode(answer))
        assert answer[":status"] == "200" and answer["capsule-protocol"] == "?1", answer
        assert came(heard) == ANSWER, came(heard)
        # An end within a capsule: RST_STREAM with PROTOCOL_ERROR.
        peer.sendall(frame(0, 1, 1, b"\0\5cut"))
        resets = lambda so_far: [payload for kind, _, stream, payload in http2_frames(so_far) if kind == 3 and stream == 1]
        heard = read_until(peer, resets)
        assert resets(heard)[0] == (1).to_bytes(4, "big"), heard


def aioquic(*arguments):
    command = [AIOQUIC / "run", "python3.13", HERE / "scripts/aioquic_datagrams.py", *arguments]
    return command, {**os.environ, "PYTHONHOME": str(AIOQUIC / "usr")}


def aioquic_client(port, certificate, *options):
    command, environment = aioquic("client", "--port", str(port), "--cert", certificate, *options)
    result = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=DEADLINE)
    assert result.returncode == 0, (result.stdout + result.stderr)[-1500:]


def aioquic_server(client, work, expected, *options):
    key, certificate = f"{work}/key.pem", f"{work}/own.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", key, "-out", certificate,
                    "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"], check=True, capture_output=True)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command, environment = aioquic("server", "--port", str(port), "--cert", certificate, "--key", key, *options)
    server = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline, out = time.monotonic() + DEADLINE, "Connection refused"
        while "Connection refused" in out and time.monotonic() < deadline:  # it does not say when it is ready
            result = subprocess.run([client, certificate, f"https://localhost:{port}/echo", "HTTP/3"], capture_output=True, text=True, timeout=DEADLINE)
            out = result.stdout + result.stderr
        assert result.returncode == 0 and expected in out, out
    finally:
        server.kill()
        server.wait()


def udp_proxy(work):
    """aioquic, through `tandem serve --udp-proxy`, to a socket that sends back what it hears."""
    certificate = f"{work}/proxy.pem"
    proxy = subprocess.Popen([os.environ["TANDEM"], "serve", work, "--port", "0", "--save-cert", certificate, "--udp-proxy", "--udp-proxy-allow",
                              "127.0.0.1/32"], stdout=subprocess.PIPE, text=True)
    target = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    target.bind(("127.0.0.1", 0))

    def echo():
        while True:
            data, client = target.recvfrom(65536)
            if data == b"end":
                return
            target.sendto(data, client)

    port = target.getsockname()[1]
    threading.Thread(target=echo, daemon=True).start()
    try:
        line = proxy.stdout.readline()
        aioquic_client(int(line.split("/ ")[0].rsplit(":", 1)[1]), certificate, "--udp", str(port))
    finally:
        target.sendto(b"end", ("127.0.0.1", port))
        proxy.kill()
        proxy.wait()


def main(directory):
    server_program, client = directory / "example_datagram_server", directory / "example_datagram_client"
    with tempfile.TemporaryDirectory() as work:
        certificate = f"{work}/cert.pem"
        server = subprocess.Popen([server_program, certificate, "0"], stdout=subprocess.PIPE, text=True)
        try:
            port = int(server.stdout.readline().split()[-1])
            case("server, HTTP/1.1, by hand", over_http1, port, certificate)
            case("server, HTTP/2, by hand", over_http2, port, certificate)
            if AIOQUIC.is_dir():
                case("server, HTTP/3, aioquic", aioquic_client, port, certificate)
                case("server, HTTP/3, aioquic without QUIC datagrams", aioquic_client, port, certificate, "--capsules")
                case("client, HTTP/3, aioquic", aioquic_server, client, work, "hello over HTTP/3 in a QUIC datagram")
                case("client, HTTP/3, aioquic without QUIC datagrams", aioquic_server, client, work, "hello over HTTP/3 in a capsule", "--capsules")
                if "TANDEM" in os.environ:
                    case("UDP proxy, HTTP/3, aioquic", udp_proxy, work)
        finally:
            server.kill()
            server.wait()


main(pathlib.Path(sys.argv[1]).absolute())
sys.exit(1 if failures else 0)
