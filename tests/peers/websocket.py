#!/usr/bin/python3
"""WebSockets against other people's, both ways round, with the programs of examples/: HTTP/1.1 against Python's websockets, HTTP/2 and HTTP/1.1
against Chromium, HTTP/3 against aioquic.

  websocket.py DIRECTORY    where example_websocket_server and example_websocket_client are

One line for each case; exits with 1 if one fails. TANDEM_PEERS: where aioquic is, as tests/peers/run fetches it; it is left out if it is not there.
"""
import asyncio
import base64
import hashlib
import os
import pathlib
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile

import websockets

DEADLINE = 30
AIOQUIC = pathlib.Path(os.environ.get("TANDEM_PEERS", "build/peers")).absolute() / "aioquic"
EXAMPLES = AIOQUIC / "usr/share/doc/python-aioquic-doc/examples"
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


async def output_of(*command, **more):
    program = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **more)
    out, _ = await program.communicate()
    return program.returncode, out.decode(errors="replace")


async def client_greets(client, certificate):
    async def echo(peer):
        async for message in peer:
            await peer.send(message)
        codes.append(peer.close_code)

    codes = []
    async with websockets.serve(echo, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        code, out = await output_of(client, certificate, f"http://127.0.0.1:{port}/", "HTTP/1.1")
        assert code == 0 and "heard: hello over HTTP/1.1" in out, out
    assert codes == [1000], codes


def aioquic(program, *arguments):
    """A command for output_of(): one of aioquic's examples."""
    return [AIOQUIC / "run", "python3.13", EXAMPLES / program, *arguments], {**os.environ, "PYTHONHOME": str(AIOQUIC / "usr"), "PYTHONPATH": str(EXAMPLES)}


async def aioquic_client(uri, certificate):
    command, environment = aioquic("http3_client.py", "--ca-certs", certificate, uri)
    _, out = await output_of(*command, env=environment)
    assert "< Hello 1, WebSocket!" in out, out


async def aioquic_server(client, work):
    key, certificate = f"{work}/key.pem", f"{work}/own.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", key, "-out", certificate,
                    "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"], check=True, capture_output=True)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command, environment = aioquic("http3_server.py", "--host", "127.0.0.1", "--port", str(port), "-c", certificate, "-k", key)
    server = await asyncio.create_subprocess_exec(*command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        code, out = None, "Connection refused"
        while "Connection refused" in out:  # it does not say when it is ready; case() bounds how long that takes
            code, out = await output_of(client, certificate, f"https://localhost:{port}/ws", "HTTP/3")
        assert code == 0 and "heard: hello over HTTP/3" in out, out
    finally:
        server.kill()
        await server.wait()


async def chromium(uri, certificate, expected, *options):
    """The page of our server opens a WebSocket, hears its echo and closes it with code 3000."""
    der = await output_of("openssl", "x509", "-in", certificate, "-pubkey", "-noout")
    key = base64.b64decode("".join(der[1].splitlines()[1:-1]))
    pin = base64.b64encode(hashlib.sha256(key).digest()).decode()
    out = ""
    while "\nclosed: " not in out:  # not the page's script: its virtual clock does not wait for sockets; case() bounds how often it is asked
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
            _, out = await output_of("chromium", "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", f"--user-data-dir={profile}",
                                     f"--ignore-certificate-errors-spki-list={pin}", "--virtual-time-budget=10000", *options, "--dump-dom",
                                     uri.replace("wss:", "https:").replace("/echo", "/"))
    assert "heard: hello from a browser\nclosed: 3000, clean: true" in out, out[-1000:]
    log = (pathlib.Path(certificate).parent / "access.log").read_text()
    assert f"{expected} /echo 101" in log, log


async def main(directory):
    server_program, client = directory / "example_websocket_server", directory / "example_websocket_client"
    with tempfile.TemporaryDirectory() as work:
        certificate = f"{work}/cert.pem"
        with open(f"{work}/access.log", "w") as log:
            server = await asyncio.create_subprocess_exec(server_program, certificate, "0", stdout=subprocess.PIPE, stderr=log)
        try:
            line = await asyncio.wait_for(server.stdout.readline(), DEADLINE)
            uri = f"wss://localhost:{int(line.split()[-1])}/echo"
            context = ssl.create_default_context(cafile=certificate)
            for test in (echoes, fragments_and_pings, closes, too_large, extensions, refused):
                await case(f"server, HTTP/1.1, websockets: {test.__name__.replace('_', ' ')}", test(uri, context))
            if shutil.which("chromium"):
                await case("server, HTTP/2, Chromium", chromium(uri, certificate, "HTTP/2"))
                await case("server, HTTP/1.1, Chromium", chromium(uri, certificate, "HTTP/1.1", "--disable-http2"))
            if EXAMPLES.is_dir():
                await case("server, HTTP/3, aioquic", aioquic_client(uri, certificate))
                await case("client, HTTP/3, aioquic", aioquic_server(client, work))
            await case("client, HTTP/1.1, websockets", client_greets(client, certificate))
        finally:
            server.kill()
            await server.wait()


asyncio.run(main(pathlib.Path(sys.argv[1]).absolute()))
sys.exit(1 if failures else 0)
