"""What the cases have in common: certificates, files, and programs that run while a case does."""

import contextlib
import hashlib
import os
import pathlib
import socket
import subprocess
import tempfile
import threading
import time

TANDEM = os.environ["TANDEM"]
PROGRAMS = pathlib.Path(os.environ["TANDEM_TEST_PROGRAMS"])
PEERS = pathlib.Path(os.environ["TANDEM_PEERS"])
HERE = pathlib.Path(__file__).parent
AIOQUIC = [PEERS / "aioquic/run", "python3.13"]
AIOQUIC_EXAMPLES = PEERS / "aioquic/usr/share/doc/python-aioquic-doc/examples"
AIOQUIC_ENV = {**os.environ, "PYTHONHOME": str(PEERS / "aioquic/usr"), "PYTHONPATH": str(AIOQUIC_EXAMPLES)}
BUN = PEERS / "npm/node_modules/@oven/bun-linux-x64/bin/bun"
DENO = [PEERS / "npm/node_modules/@deno/linux-x64-glibc/deno", "run", "-A", "--unstable-net"]
CLIENT_TIMEOUT = 60  # seconds
CADDYFILE = """
{
    admin off
    auto_https off
    skip_install_trust
    servers {
        protocols h1 h2 h3
    }
}
https://localhost:@PORT@, https://127.0.0.1:@PORT@ {
    bind 127.0.0.1
    tls @CERTS@/chain.pem @CERTS@/leaf.key
    root * @WWW@
    file_server
}
"""
NGINX_CONF = """
daemon off; worker_processes 1; user root; error_log stderr warn; pid @RUN@/nginx.pid;
events { worker_connections 512; }
http {
  access_log off;
  client_body_temp_path @RUN@/t1; proxy_temp_path @RUN@/t2; fastcgi_temp_path @RUN@/t3; uwsgi_temp_path @RUN@/t4; scgi_temp_path @RUN@/t5;
  server {
    listen 127.0.0.1:@PORT@ quic reuseport; listen 127.0.0.1:@PORT@ ssl;
    http2 on;
    http3 on; quic_retry on; ssl_early_data on;
    ssl_certificate @CERTS@/chain.pem; ssl_certificate_key @CERTS@/leaf.key;
    location / { root @WWW@; }
  }
}
"""


def run(command, **more):
    return subprocess.run([str(c) for c in command], capture_output=True, text=True, errors="replace", timeout=CLIENT_TIMEOUT, **more)


def check(condition, what):
    if not condition:
        raise AssertionError(what)


def sha(path):
    return hashlib.sha256(pathlib.Path(path).read_bytes()).hexdigest()


GIVEN = set()  # ports that a case has, bound already or not yet; two cases run at a time
GIVING = threading.Lock()


def free_port():
    """A port that is free for TCP and for UDP, and was never given before."""
    while True:
        with socket.socket() as tcp, socket.socket(type=socket.SOCK_DGRAM) as udp:
            tcp.bind(("127.0.0.1", 0))
            port = tcp.getsockname()[1]
            with contextlib.suppress(OSError):
                udp.bind(("127.0.0.1", port))
                with GIVING:
                    if port not in GIVEN:
                        GIVEN.add(port)
                        return port


def udp_bound(port):
    needle = f"0100007F:{port:04X} "
    return needle in pathlib.Path("/proc/net/udp").read_text()


class World:
    """Certificates, files and the servers that a case starts."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.certs = self.folder / "certs"
        self.www = self.folder / "www"
        self.certs.mkdir()
        self.www.mkdir()
        os.chmod(folder, 0o755)
        self.files = {"empty.bin": 0, "1k.bin": 1000, "5m.bin": 5_000_000}
        for name, size in self.files.items():
            (self.www / name).write_bytes(os.urandom(size))
        for i in range(20):
            (self.www / f"s{i}.bin").write_bytes(os.urandom(3000 + 997 * i))
        (self.www / "index.html").write_text("hello\n")
        self.make_certificates()

    def make_certificates(self):
        def openssl(*arguments):
            result = run(["openssl", *arguments], cwd=self.certs)
            check(result.returncode == 0, result.stderr)

        key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
        for ca in ("ca", "other-ca"):
            openssl("req", "-x509", *key, "-keyout", f"{ca}.key", "-out", f"{ca}.pem", "-days", "30", "-subj", f"/CN=tandem test {ca}",
                    "-addext", "keyUsage=critical,keyCertSign,cRLSign")
        for leaf, names in (("leaf", "DNS:localhost,IP:127.0.0.1,IP:::1"), ("elsewhere", "DNS:elsewhere.example")):
            openssl("req", *key, "-keyout", f"{leaf}.key", "-out", f"{leaf}.csr", "-subj", f"/CN={leaf}")
            (self.certs / "ext").write_text(f"subjectAltName={names}\nextendedKeyUsage=serverAuth\nbasicConstraints=critical,CA:FALSE\n")
            openssl("x509", "-req", "-in", f"{leaf}.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "10",
                    "-extfile", "ext", "-out", f"{leaf}.pem")
        ca = (self.certs / "ca.pem").read_text()
        for leaf, chain in (("leaf", "chain"), ("elsewhere", "elsewhere-chain")):
            (self.certs / f"{chain}.pem").write_text((self.certs / f"{leaf}.pem").read_text() + ca)

    def out(self):
        return pathlib.Path(tempfile.mkdtemp(dir=self.folder))

    def fill_in(self, text, port, folder):
        return text.replace("@PORT@", str(port)).replace("@CERTS@", str(self.certs)).replace("@WWW@", str(self.www)).replace("@RUN@", str(folder))

    @contextlib.contextmanager
    def server(self, command, port, log, env=None):
        """A server process by others, until its UDP port is bound."""
        with open(log, "wb") as sink:
            process = subprocess.Popen([str(c) for c in command], stdout=sink, stderr=sink, env={**os.environ, **(env or {})})
        try:
            deadline = time.monotonic() + 20
            while not udp_bound(port):
                check(process.poll() is None and time.monotonic() < deadline, f"{command[0]} did not start: {pathlib.Path(log).read_text()[-300:]}")
                time.sleep(0.05)
            yield port
        finally:
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(5)
            process.kill()
            process.wait()

    # Servers by others.

    def gtlsserver(self, *options, leaf="leaf", chain="chain"):
        port = free_port()
        return self.server(["gtlsserver", "-q", "-d", self.www, *options, "127.0.0.1", port, self.certs / f"{leaf}.key", self.certs / f"{chain}.pem"],
                           port, self.out() / "log")

    def caddy(self):
        port, folder = free_port(), self.out()
        (folder / "Caddyfile").write_text(self.fill_in(CADDYFILE, port, folder))
        return self.server([PEERS / "caddy/usr/bin/caddy", "run", "--config", folder / "Caddyfile", "--adapter", "caddyfile"], port, folder / "log",
                           {"XDG_DATA_HOME": str(folder), "XDG_CONFIG_HOME": str(folder), "HOME": str(folder)})

    def nginx(self):
        port, folder = free_port(), self.out()
        (folder / "nginx.conf").write_text(self.fill_in(NGINX_CONF, port, folder))
        return self.server([PEERS / "nginx/run", "nginx", "-p", f"{folder}/", "-c", folder / "nginx.conf"], port, folder / "log")

    def aioquic_server(self):
        port, folder = free_port(), self.out()
        return self.server([*AIOQUIC, AIOQUIC_EXAMPLES / "http3_server.py", "--host", "127.0.0.1", "--port", port, "-c",
                            self.certs / "chain.pem", "-k", self.certs / "leaf.key", "--retry"], port, folder / "log",
                           {**AIOQUIC_ENV, "STATIC_ROOT": str(self.www)})

    def aioquic_feature_server(self, *options):
        """aioquic's example server with options for what its own command line lacks: see scripts/aioquic_server.py."""
        port, folder = free_port(), self.out()
        return self.server([*AIOQUIC, HERE / "scripts/aioquic_server.py", "--port", port, "--cert", self.certs / "chain.pem",
                            "--key", self.certs / "leaf.key", *options], port, folder / "log", {**AIOQUIC_ENV, "STATIC_ROOT": str(self.www)})

    def bun_server(self):
        return self.script_server([BUN, "--no-warnings", HERE / "scripts/bun_server.mjs"])

    def deno_server(self):
        return self.script_server([*DENO, HERE / "scripts/deno_server.ts"])

    def script_server(self, command):
        port, folder = free_port(), self.out()
        return self.server(command, port, folder / "log", {"PORT": str(port), "CERT": str(self.certs / "chain.pem"),
                                                           "KEY": str(self.certs / "leaf.key"), "WWW": str(self.www), "HOME": str(folder)})

    # Our own.

    def tandem_server(self, *options, leaf="leaf", chain="chain"):
        return self.our_server([TANDEM, "serve", str(self.www), "--bind", "127.0.0.1", "--port", "0", "--cert", str(self.certs / f"{chain}.pem"),
                                "--key", str(self.certs / f"{leaf}.key"), *options])

    def quic_server(self, *options):
        """What no option of `tandem serve` asks for: see quic_server.cpp."""
        return self.our_server([PROGRAMS / "peers_quic_server", "--cert", self.certs / "chain.pem", "--key", self.certs / "leaf.key", *options, self.www])

    @contextlib.contextmanager
    def our_server(self, command):
        log = self.out() / "log"
        with open(log, "wb") as sink:
            process = subprocess.Popen([str(c) for c in command], stdout=sink, stderr=sink)
        try:
            deadline = time.monotonic() + 10
            while "listening on " not in log.read_text():
                check(process.poll() is None and time.monotonic() < deadline, f"{command[0]} did not start: {log.read_text()[-300:]}")
                time.sleep(0.02)
            url = log.read_text().split("listening on ")[1].split()[0]
            yield int(url.split(":")[2].split("/")[0])
            process.terminate()
            check(process.wait(10) == 0, f"{command[0]} ended with {process.returncode}: {log.read_text()[-300:]}")
        finally:
            process.kill()
            process.wait()
