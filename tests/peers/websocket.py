#!/usr/bin/python3
"""WebSockets over HTTP/1.1 against Python's websockets, both ways round, with the programs of examples/.

  websocket.py DIRECTORY    where example_websocket_server and example_websocket_client are

One line for each case; exits with 1 if one fails. Over HTTP/2 and HTTP/3 websockets has nothing to say.
"""
import asyncio
import pathlib
import ssl
import subprocess
import sys
import tempfile

import websockets

DEADLINE = 30
failures = 0


async def case(name, work):
    global failures
    try:
        await asyncio.wait_for(work, DEADLINE)
        print(f"ok      websocket {name}")
    except Exception as e:  # whatever went wrong, the other cases are of interest too
        failures += 1
        print(f"FAILED  websocket {name}: {e!r}")


async def echoes(uri, context):
    async with websockets.connect(uri, ssl=context, max_size=None, compression=None) as peer:
        for message in ["hello", "", "ü€😀", b"\0\xff", "x" * 1_000_000, b"y" * 5_000_000]:
            await peer.send(message)
            assert await peer.recv() == message


async def fragments_and_pings(uri, context):
    async with websockets.connect(uri, ssl=context, compression=None) as peer:
        await peer.send(["fra", "g", "", "ments"])
        assert await peer.recv() == "fragments"
        await (await peer.ping(b"payload"))


async def closes(uri, context):
    async with websockets.connect(uri, ssl=context, compression=None) as peer:
        await peer.close(3000, "enough")
        assert peer.close_code == 3000, peer.close_code


async def too_large(uri, context):
    async with websockets.connect(uri, ssl=context, compression=None) as peer:
        try:
            await peer.send("x" * (16 * 1024 * 1024 + 1))
            await peer.recv()
        except websockets.ConnectionClosed as e:
            assert e.rcvd.code == 1009, e.rcvd
        else:
            raise AssertionError("was taken")


async def extensions(uri, context):
    async with websockets.connect(uri, ssl=context) as peer:  # offers permessage-deflate
        assert not peer.extensions
        await peer.send("plain")
        assert await peer.recv() == "plain"


async def refused(uri, context):
    try:
        async with websockets.connect(uri.replace("/echo", "/nowhere"), ssl=context):
            raise AssertionError("was accepted")
    except websockets.InvalidStatusCode as e:
        assert e.status_code == 404, e.status_code


async def client_greets(client, certificate):
    async def echo(peer):
        async for message in peer:
            await peer.send(message)
        codes.append(peer.close_code)

    codes = []
    async with websockets.serve(echo, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        program = await asyncio.create_subprocess_exec(client, certificate, f"http://127.0.0.1:{port}/", stdout=subprocess.PIPE)
        out, _ = await program.communicate()
        assert program.returncode == 0 and b"heard: hello over HTTP/1.1" in out, out
    assert codes == [1000], codes


async def main(directory):
    with tempfile.TemporaryDirectory() as work:
        certificate = str(pathlib.Path(work, "cert.pem"))
        server = await asyncio.create_subprocess_exec(directory / "example_websocket_server", certificate, "0", stdout=subprocess.PIPE)
        try:
            line = await asyncio.wait_for(server.stdout.readline(), DEADLINE)
            uri = f"wss://localhost:{int(line.split()[-1])}/echo"
            context = ssl.create_default_context(cafile=certificate)
            for work in (echoes, fragments_and_pings, closes, too_large, extensions, refused):
                await case(f"server: {work.__name__.replace('_', ' ')}", work(uri, context))
            await case("client: greets", client_greets(directory / "example_websocket_client", certificate))
        finally:
            server.kill()
            await server.wait()


asyncio.run(main(pathlib.Path(sys.argv[1]).absolute()))
sys.exit(1 if failures else 0)
