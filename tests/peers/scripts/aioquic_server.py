"""aioquic's example HTTP/3 server, which also echoes datagrams, and updates keys if told so."""

import argparse
import asyncio

import demo
import http3_server
from aioquic.asyncio import serve
from aioquic.h0.connection import H0_ALPN
from aioquic.h3.connection import H3_ALPN
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.events import DatagramFrameReceived, StreamDataReceived

parser = argparse.ArgumentParser()
parser.add_argument("--port", type=int)
parser.add_argument("--cert")
parser.add_argument("--key")
parser.add_argument("--key-update", action="store_true", help="update keys at each request")
arguments = parser.parse_args()


http3_server.application = demo.app


class Server(http3_server.HttpServerProtocol):
    def quic_event_received(self, event):
        if isinstance(event, DatagramFrameReceived):
            self._quic.send_datagram_frame(event.data)
            self.transmit()
            return
        if arguments.key_update and isinstance(event, StreamDataReceived) and event.stream_id % 4 == 0:
            self._quic.request_key_update()
        super().quic_event_received(event)


async def main():
    configuration = QuicConfiguration(alpn_protocols=H3_ALPN + H0_ALPN, is_client=False, max_datagram_frame_size=65536)
    configuration.load_cert_chain(arguments.cert, arguments.key)
    tickets = http3_server.SessionTicketStore()
    await serve("127.0.0.1", arguments.port, configuration=configuration, create_protocol=Server, session_ticket_fetcher=tickets.pop,
                session_ticket_handler=tickets.add)
    await asyncio.Future()


asyncio.run(main())
