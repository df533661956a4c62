"""HTTP datagrams (RFC 9297) with aioquic: a server that sends them back the way they came, or a client that tries ours. The client prints a line for
each thing that it saw done right."""

import argparse
import asyncio

from aioquic.asyncio import QuicConnectionProtocol, connect, serve
from aioquic.buffer import Buffer, encode_uint_var
from aioquic.h3.connection import H3_ALPN, H3Connection
from aioquic.h3.events import DatagramReceived, DataReceived, HeadersReceived
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.events import ConnectionTerminated, ProtocolNegotiated, StopSendingReceived, StreamReset

parser = argparse.ArgumentParser()
parser.add_argument("role", choices=["client", "server"])
parser.add_argument("--port", type=int)
parser.add_argument("--cert", help="the server's chain, or what the client trusts")
parser.add_argument("--key")
parser.add_argument("--capsules", action="store_true", help="offer no QUIC datagrams")
parser.add_argument("--udp", type=int, help="a client: through a UDP proxy (RFC 9298) to this port, where what comes is sent back")
arguments = parser.parse_args()


def configuration(is_client):
    return QuicConfiguration(is_client=is_client, alpn_protocols=H3_ALPN, server_name="localhost" if is_client else None,
                             max_datagram_frame_size=None if arguments.capsules else 65536)


def capsule(payload, kind=0):
    return encode_uint_var(kind) + encode_uint_var(len(payload)) + payload


def datagrams_in(capsules):
    """The payloads of whole DATAGRAM capsules, and how many bytes they took."""
    found, buffer = [], Buffer(data=capsules)
    while not buffer.eof():
        kind, payload = buffer.pull_uint_var(), buffer.pull_bytes(buffer.pull_uint_var())
        assert kind == 0, f"capsule of type {kind}"
        found.append(payload)
    return found


class Peer(QuicConnectionProtocol):
    def __init__(self, *more, **named):
        super().__init__(*more, **named)
        self.http, self.events, self.resets, self.closed = None, asyncio.Queue(), {}, asyncio.get_running_loop().create_future()

    def quic_event_received(self, event):
        if isinstance(event, ProtocolNegotiated):
            self.http = H3Connection(self._quic, enable_webtransport=not arguments.capsules)  # which is what offers datagrams
        elif isinstance(event, ConnectionTerminated) and not self.closed.done():
            self.closed.set_result(event.error_code)
        elif isinstance(event, (StreamReset, StopSendingReceived)):
            self.resets[event.stream_id] = event.error_code
            self.events.put_nowait(event)
        if self.http is not None:
            for each in self.http.handle_event(event):
                self.http_event_received(each)

    def http_event_received(self, event):
        self.events.put_nowait(event)

    # A client's verbs.

    def ask(self, method="CONNECT", protocol=b"echo", end=False, path="/echo"):
        stream = self._quic.get_next_available_stream_id()
        fields = [(b":method", method.encode()), (b":scheme", b"https"), (b":authority", b"localhost"), (b":path", path.encode())]
        fields += [(b":protocol", protocol), (b"capsule-protocol", b"?1")] if method == "CONNECT" else []
        self.http.send_headers(stream, fields, end_stream=end)
        self.transmit()
        return stream

    async def wait_for(self, kind, stream):
        while True:
            event = await asyncio.wait_for(self.events.get(), 10)
            ending = isinstance(event, DataReceived) and not event.data
            if isinstance(event, kind) and event.stream_id == stream and not ending:
                return event

    async def open(self, **named):
        stream = self.ask(**named)
        answer = dict((await self.wait_for(HeadersReceived, stream)).headers)
        assert answer[b":status"] == b"200" and answer[b"capsule-protocol"] == b"?1", answer
        return stream

    def send(self, stream, payload):
        self.http.send_datagram(stream, payload)
        self.transmit()

    def send_on_stream(self, stream, data, end=False):
        self.http.send_data(stream, data, end)
        self.transmit()

    async def reset_of(self, stream):
        while stream not in self.resets:
            await asyncio.wait_for(self.events.get(), 10)
        return self.resets[stream]

    async def back(self, stream):
        kind = DataReceived if arguments.capsules else DatagramReceived
        data = (await self.wait_for(kind, stream)).data
        return data if not arguments.capsules else datagrams_in(data)[0]


class Server(Peer):
    def http_event_received(self, event):
        if isinstance(event, HeadersReceived):
            asked = dict(event.headers)
            good = asked[b":method"] == b"CONNECT" and asked.get(b":protocol") == b"echo" and asked.get(b"capsule-protocol") == b"?1"
            self.http.send_headers(event.stream_id, [(b":status", b"200" if good else b"400"), (b"capsule-protocol", b"?1")], end_stream=not good)
        elif isinstance(event, DatagramReceived):
            self.http.send_datagram(event.stream_id, event.data)
        elif isinstance(event, DataReceived):
            self.http.send_data(event.stream_id, b"".join(capsule(d) for d in datagrams_in(event.data)), event.stream_ended)
        self.transmit()


async def client():
    made = configuration(True)
    made.load_verify_locations(arguments.cert)

    def connection():
        return connect("127.0.0.1", arguments.port, configuration=made, create_protocol=Peer, local_port=0)

    if arguments.udp:
        async with connection() as peer:
            stream = await peer.open(protocol=b"connect-udp", path=f"/.well-known/masque/udp/127.0.0.1/{arguments.udp}/")
            for payload in (b"payload", b"", b"x" * 1000):
                peer.send(stream, b"\2of an extension")
                peer.send(stream, b"\0" + payload)
                assert await peer.back(stream) == b"\0" + payload
            peer.send(stream, b"")
            assert await peer.reset_of(stream) is not None
            print("UDP payloads come back")
        return
    async with connection() as peer:
        stream = await peer.open()
        if not arguments.capsules:
            for payload in (b"datagram", b"", b"x" * 1000):
                peer.send(stream, payload)
                assert await peer.back(stream) == payload
            print("datagrams come back")
            early = peer.ask()
            peer.send(early, b"before the answer")
            assert await peer.back(early) == b"before the answer"
            peer.send(400, b"of no stream")
            peer.send(stream, b"still there")
            assert await peer.back(stream) == b"still there"
            print("those of streams to come are no error")
            for method, end in (("GET", True), ("POST", False)):
                other = peer._quic.get_next_available_stream_id()
                peer.send(other, b"of a request that has none")
                assert peer.ask(method, end=end) == other
                assert await peer.reset_of(other) == 0x33
            print("a request that has no datagrams is aborted for one")
        peer.send_on_stream(stream, capsule(b"in a capsule"))
        assert await peer.back(stream) == b"in a capsule"
        peer.send_on_stream(stream, capsule(b"?" * 5000, 0x2575) + capsule(b"behind it"))
        assert await peer.back(stream) == b"behind it"
        print("capsules come back, unknown ones are passed over")
        cut = await peer.open()
        peer.send_on_stream(cut, b"\0\5cut", end=True)
        assert await peer.reset_of(cut) == 0x10E
        print("a stream that ends within a capsule is malformed")
    if arguments.capsules:
        return
    for wrong in (b"", encode_uint_var(1 << 60) + b"x"):
        async with connection() as peer:
            await peer.open()
            peer._quic.send_datagram_frame(wrong)
            peer.transmit()
            assert await asyncio.wait_for(peer.closed, 10) == 0x33
    print("malformed datagrams are H3_DATAGRAM_ERROR")


async def server():
    made = configuration(False)
    made.load_cert_chain(arguments.cert, arguments.key)
    await serve("127.0.0.1", arguments.port, configuration=made, create_protocol=Server)
    await asyncio.Future()


asyncio.run(client() if arguments.role == "client" else server())
