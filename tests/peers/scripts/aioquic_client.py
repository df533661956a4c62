"""Fetches files with aioquic as its example client does, and does something on the way. Prints what happened as JSON."""

import argparse
import asyncio
import json
import os
import time

from aioquic.asyncio import QuicConnectionProtocol, connect
from aioquic.h3.connection import H3_ALPN
from aioquic.h3.events import DataReceived
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.events import DatagramFrameReceived
from aioquic.quic.logger import QuicLogger
from aioquic.quic.packet import QuicProtocolVersion
from http3_client import HttpClient

parser = argparse.ArgumentParser()
parser.add_argument("--port", type=int)
parser.add_argument("--ca")
parser.add_argument("--out", default=".")
parser.add_argument("--version", choices=["v1", "v2", "v1-then-v2", "unknown-then-v1"], default="v1")
parser.add_argument("--resume", action="store_true", help="a second connection, with the ticket of the first")
parser.add_argument("--key-update", action="store_true", help="between requests")
parser.add_argument("--migrate", action="store_true", help="go on from another port in the middle of the last transfer")
parser.add_argument("--datagrams", type=int, default=0, help="over the protocol `echo` instead of HTTP/3")
parser.add_argument("paths", nargs="*")
arguments = parser.parse_args()

V1, V2, UNKNOWN = QuicProtocolVersion.VERSION_1, QuicProtocolVersion.VERSION_2, 0x1A2A3A4A
VERSIONS = {"v1": [V1], "v2": [V2, V1], "v1-then-v2": [V1, V2], "unknown-then-v1": [UNKNOWN, V1]}


def configuration(ticket=None):
    made = QuicConfiguration(is_client=True, alpn_protocols=["echo"] if arguments.datagrams else H3_ALPN, server_name="localhost",
                             quic_logger=QuicLogger(), max_datagram_frame_size=65536, session_ticket=ticket)
    made.supported_versions = VERSIONS[arguments.version]
    if arguments.version == "v1-then-v2":
        made.original_version = V1
        made.supported_versions = [V2, V1]
    made.load_verify_locations(arguments.ca)
    return made


async def move(protocol):
    protocol._transport.close()
    await asyncio.get_running_loop().create_datagram_endpoint(lambda: protocol, local_addr=("::", 0))
    protocol.change_connection_id()


async def fetch(protocol, path, moving):
    request = asyncio.ensure_future(protocol.get(f"https://127.0.0.1:{arguments.port}{path}"))
    if moving:
        deadline = time.monotonic() + 10
        while protocol.received < 500_000 and time.monotonic() < deadline:
            await asyncio.sleep(0)
        assert not request.done(), "there was nothing left to transfer"
        await move(protocol)
    events = await request
    with open(os.path.join(arguments.out, os.path.basename(path)), "wb") as out:
        for event in events:
            if isinstance(event, DataReceived):
                out.write(event.data)


class Client(HttpClient):
    received = 0

    def http_event_received(self, event):
        if isinstance(event, DataReceived):
            self.received += len(event.data)
        super().http_event_received(event)


class Echo(QuicConnectionProtocol):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.back = asyncio.Queue()

    def quic_event_received(self, event):
        if isinstance(event, DatagramFrameReceived):
            self.back.put_nowait(event.data)


async def exchange_datagrams(protocol):
    for i in range(arguments.datagrams):
        sent = bytes([i]) * (1100 // (i + 1))
        protocol._quic.send_datagram_frame(sent)
        protocol.transmit()
        assert await asyncio.wait_for(protocol.back.get(), 5) == sent, "a datagram came back different"


def summary(made, protocol):
    events = made.quic_logger.to_dict()["traces"][0]["events"]
    packets = [e["data"] for e in events if e["name"] == "transport:packet_received"]
    kinds = [p["header"]["packet_type"] for p in packets]
    sent = [e["data"]["header"]["packet_type"] for e in events if e["name"] == "transport:packet_sent"]
    frames = [f["frame_type"] for p in packets for f in p.get("frames", [])]
    return {"retries": kinds.count("retry"), "version_negotiations": kinds.count("version_negotiation"), "version": f"{protocol._quic._version:08x}",
            "path_challenges": frames.count("path_challenge"), "sent_0rtt": sent.count("0RTT"), "resumed": protocol._quic.tls.session_resumed,
            "early_data_accepted": protocol._quic.tls.early_data_accepted, "key_phase": protocol._quic._cryptos[list(protocol._quic._cryptos)[-1]].recv.key_phase}


async def once(ticket=None):
    made, tickets = configuration(ticket), []
    async with connect("127.0.0.1", arguments.port, configuration=made, create_protocol=Echo if arguments.datagrams else Client, local_port=0,
                       session_ticket_handler=tickets.append, wait_connected=ticket is None) as protocol:
        await exchange_datagrams(protocol)
        for i, path in enumerate(arguments.paths):
            if arguments.key_update and i > 0:
                protocol.request_key_update()
            await fetch(protocol, path, arguments.migrate and path == arguments.paths[-1])
        deadline = time.monotonic() + 2
        while arguments.resume and ticket is None and not tickets and time.monotonic() < deadline:
            await asyncio.sleep(0.01)
        result = summary(made, protocol)
    return result, tickets[0] if tickets else None


async def main():
    result, ticket = await once()
    if arguments.resume:
        assert ticket, "no ticket came"
        result, _ = await once(ticket)
    print(json.dumps(result))


asyncio.run(main())
