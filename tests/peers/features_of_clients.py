"""Clients by others, our server: each case uses one feature of QUIC and then looks into our log, or the client's, whether it was used."""

import contextlib
import json
import os

from nat import Nat
from qlog import Qlog
from world import AIOQUIC, AIOQUIC_ENV, BUN, DENO, HERE, PEERS, check, free_port, run, sha

V1, V2 = "00000001", "6b3343cf"
REBIND_AFTER = 1_000_000  # of 5 000 000 bytes
SLOW = 8_000_000  # bytes a second: keys may be updated again only after three probe timeouts


class Served:
    """Our server while it runs, and its log when it has ended."""

    def __init__(self, world, port, folder):
        self.world, self.port, self.folder = world, port, folder

    def log(self):
        return Qlog(self.folder / "qlog")


@contextlib.contextmanager
def served(world, start, *options):
    folder = world.out()
    with start("--qlog-dir", folder / "qlog", *options) as port:
        yield Served(world, port, folder)


# The clients. Each fetches 5m.bin last, compares what it got, and returns what it printed.

def compare(world, out, names):
    for name in names:
        check(sha(out / name) == sha(world.www / name), f"{name} differs")


def gtlsclient(world, port, *options, names=("5m.bin",), out=None):
    out = out or world.out()
    result = run(["gtlsclient", "--no-quic-dump", "--no-http-dump", "--exit-on-all-streams-close", f"--download={out}", "--sni=localhost", *options,
                  "127.0.0.1", port, *[f"https://localhost:{port}/{n}" for n in names]])
    check(result.returncode == 0, result.stderr[-300:])
    compare(world, out, names)
    return result.stderr


def aioquic(world, port, *options, names=("5m.bin",)):
    out = world.out()
    result = run([*AIOQUIC, HERE / "scripts/aioquic_client.py", "--port", port, "--ca", world.certs / "ca.pem", "--out", out, *options,
                  *[f"/{n}" for n in names]], env=AIOQUIC_ENV)
    check(result.returncode == 0, result.stderr[-300:])
    compare(world, out, names)
    return json.loads(result.stdout)


def curl(stack):
    def fetch(world, port, *, names=("5m.bin",)):
        out = world.out()
        for name in names:
            result = run([PEERS / stack / "run", "curl", "-sS", "--http3-only", "--cacert", world.certs / "ca.pem", "-o", out / name,
                          f"https://127.0.0.1:{port}/{name}"])
            check(result.returncode == 0, f"{name}: {result.stderr.strip()}")
        compare(world, out, names)
    return fetch


def bun(world, port, *options, names=("5m.bin",)):
    out = world.out()
    result = run([BUN, "--no-warnings", HERE / "scripts/bun_client.mjs", port, out, *[f"/{n}" for n in names], *options], env={**os.environ, "HOME": str(out)})
    check(result.returncode == 0, result.stderr[-300:])
    compare(world, out, names)
    return json.loads(result.stdout)


def deno(world, port, *options, names=("5m.bin",)):
    out = world.out()
    result = run([*DENO, HERE / "scripts/deno_client.ts", port, out, *[f"/{n}" for n in names], *options],
                 env={**os.environ, "HOME": str(out), "CA": str(world.certs / "ca.pem")})
    check(result.returncode == 0, result.stderr[-300:])
    compare(world, out, names)
    return json.loads(result.stdout)


def impit(world, port):
    out = world.out() / "5m.bin"
    result = run(["node", HERE / "scripts/impit_client.mjs", PEERS / "npm", f"https://127.0.0.1:{port}/5m.bin", out])
    check(result.returncode == 0 and result.stdout.strip() == "200", result.stdout + result.stderr[-300:])
    check(sha(out) == sha(world.www / "5m.bin"), "5m.bin differs")


curl_with_ngtcp2 = curl("curl-ngtcp2")
curl_with_openssl = curl("curl-openssl")


# Address validation, resumption, versions.

def retries(world, client):
    with served(world, world.tandem_server, "--retry") as server:
        client(world, server.port)
    confirmed = [p for p in server.log().data("parameters_set") if p["initiator"] == "local" and "retry_source_connection_id" in p]
    check(confirmed, "no connection began with a Retry packet")


def serve_retry_to_gtlsclient(world):
    retries(world, gtlsclient)


def serve_retry_to_aioquic(world):
    retries(world, aioquic)


def serve_retry_to_curl_with_ngtcp2(world):
    retries(world, curl_with_ngtcp2)


def serve_retry_to_curl_with_openssl(world):
    retries(world, curl_with_openssl)


def resumes_early(world, start, options, client):
    """The client's second connection resumes, and asks in 0-RTT packets, which are taken."""
    with served(world, start, *options) as server:
        client(server.port)
    check(server.log().packets("received", "0RTT"), "no 0-RTT packet was taken")


def serve_0rtt_to_gtlsclient(world):
    def twice(port):
        out = world.out()
        kept = [f"--session-file={out}/session", f"--tp-file={out}/tp", f"--token-file={out}/token"]
        gtlsclient(world, port, *kept, "--wait-for-ticket", names=["1k.bin"], out=out)
        check("Early data was rejected" not in gtlsclient(world, port, *kept, names=["s1.bin"], out=out), "early data was rejected")

    resumes_early(world, world.tandem_server, [], twice)


def serve_0rtt_to_aioquic(world):
    def twice(port):
        said = aioquic(world, port, "--resume", names=["1k.bin"])
        check(said["resumed"] and said["early_data_accepted"] and said["sent_0rtt"] > 0, str(said))

    resumes_early(world, world.tandem_server, [], twice)


def serve_0rtt_to_bun(world):
    def twice(port):
        said = bun(world, port, "--resume", names=["1k.bin"])
        check(said["early_tried"] and said["early_accepted"], str(said))

    resumes_early(world, world.quic_server, ["--raw", "hq-interop"], twice)


def serve_0rtt_to_deno(world):
    def twice(port):
        check(deno(world, port, "--resume", names=["1k.bin"])["early"], "no early data")

    resumes_early(world, world.quic_server, ["--raw", "hq-interop"], twice)


def serve_session_to_openssl(world):
    """OpenSSL's QUIC in its s_client: resumes with the ticket of the connection before."""
    with served(world, world.quic_server, "--raw", "hq-interop") as server:
        session = world.out() / "session"
        command = [PEERS / "openssl/run", "openssl", "s_client", "-quic", "-alpn", "hq-interop", "-connect", f"127.0.0.1:{server.port}",
                   "-servername", "localhost", "-CAfile", world.certs / "ca.pem", "-ign_eof"]
        first = run(["timeout", "2", *command, "-sess_out", session], input="GET /index.html\r\n")
        check("Verify return code: 0" in first.stdout, first.stdout[-300:] + first.stderr[-300:])
        check(session.exists(), "no ticket came")
        second = run(["timeout", "2", *command, "-sess_in", session], input="GET /index.html\r\n")
        check("Reused, TLSv1.3" in second.stdout, second.stdout[-300:] + second.stderr[-300:])


def speaks_version_2(world, client):
    with served(world, world.tandem_server) as server:
        client(server.port)
    log = server.log()
    check(log.versions("received", "initial") == {V2} and log.versions("sent", "handshake") == {V2}, "packets of another version")


def serve_version_2_to_gtlsclient(world):
    speaks_version_2(world, lambda port: gtlsclient(world, port, "-v", "v2"))


def serve_version_2_to_aioquic(world):
    speaks_version_2(world, lambda port: aioquic(world, port, "--version", "v2"))


def is_moved_to_version_2(world, client):
    """Compatible version negotiation (RFC 9368): the client begins with version 1 and offers 2, which the server wants."""
    with served(world, world.quic_server, "--move-to", "v2") as server:
        client(server.port)
    log = server.log()
    check(V1 in log.versions("received", "initial"), "did not begin with version 1")
    check(log.versions("sent", "handshake") == {V2} and log.versions("received", "handshake") == {V2}, "did not end with version 2")


def serve_moves_gtlsclient_to_version_2(world):
    is_moved_to_version_2(world, lambda port: gtlsclient(world, port, "-v", "v1", "--available-versions=v2,v1", "--preferred-versions=v2,v1"))


def serve_moves_aioquic_to_version_2(world):
    is_moved_to_version_2(world, lambda port: check(aioquic(world, port, "--version", "v1-then-v2")["version"] == V2, "still version 1"))


def serve_unknown_version_to_aioquic(world):
    with served(world, world.tandem_server) as server:
        said = aioquic(world, server.port, "--version", "unknown-then-v1")
        check(said["version_negotiations"] == 1 and said["version"] == V1, str(said))


# Keys.

def updates_keys(world, start, options, client):
    with served(world, start, *options) as server:
        client(server.port)
    check(server.log().key_updates("remote_update") >= 1, "the client did not update keys")


def serve_follows_key_update_of_gtlsclient(world):
    updates_keys(world, world.tandem_server, [], lambda port: gtlsclient(world, port, "--key-update=2ms"))


def serve_follows_key_update_of_aioquic(world):
    updates_keys(world, world.tandem_server, [], lambda port: aioquic(world, port, "--key-update", names=["1k.bin", "5m.bin"]))


def follows_key_updates(world, client, *options):
    """Our server updates keys every 200 packets."""
    with served(world, world.quic_server, "--packets-per-key", "200", *options) as server:
        with Nat(server.port, rate=SLOW) as path:
            client(world, path.port)
    check(server.log().key_updates("local_update") >= 1, "the server did not update keys")


def serve_updates_keys_of_gtlsclient(world):
    follows_key_updates(world, gtlsclient)


def serve_updates_keys_of_aioquic(world):
    follows_key_updates(world, aioquic)


def serve_updates_keys_of_curl_with_ngtcp2(world):
    follows_key_updates(world, curl_with_ngtcp2)


def serve_updates_keys_of_curl_with_openssl(world):
    follows_key_updates(world, curl_with_openssl)


def serve_updates_keys_of_impit(world):
    follows_key_updates(world, impit)


def serve_updates_keys_of_bun(world):
    follows_key_updates(world, bun, "--raw", "hq-interop")


# Addresses.

def is_rebound(world, client):
    """A NAT between us gives the client another port in mid-transfer: the server validates it and goes on."""
    with served(world, world.tandem_server) as server:
        with Nat(server.port, REBIND_AFTER) as nat:
            client(world, nat.port)
            check(nat.rebindings == 1, "nothing was rebound")
            check(nat.after_last["to_server"] > 0 and nat.after_last["to_client"] > 0, f"nothing went over the last binding: {nat.after_last}")
    log = server.log()
    check(log.migrations(), "no new path was validated")
    check(log.frames("sent", "path_challenge") and log.frames("received", "path_response"), "no path was validated")


def serve_gtlsclient_after_nat_rebinding(world):
    is_rebound(world, gtlsclient)


def serve_aioquic_after_nat_rebinding(world):
    is_rebound(world, aioquic)


def serve_curl_with_ngtcp2_after_nat_rebinding(world):
    is_rebound(world, curl_with_ngtcp2)


def serve_curl_with_openssl_after_nat_rebinding(world):
    is_rebound(world, curl_with_openssl)


def serve_impit_after_nat_rebinding(world):
    is_rebound(world, impit)


def migrates(world, client):
    with served(world, world.tandem_server) as server:
        client(server.port)
    log = server.log()
    check(log.migrations(), "no new path was validated")
    return log


def serve_gtlsclient_after_migration(world):
    migrates(world, lambda port: gtlsclient(world, port, "--change-local-addr=3ms"))


def serve_aioquic_after_migration(world):
    log = migrates(world, lambda port: aioquic(world, port, "--migrate"))
    check(len({p["header"]["dcid"] for p in log.packets("received", "1RTT")}) >= 2, "the same connection ID on both paths")


def serve_at_preferred_address_to_gtlsclient(world):
    preferred = free_port()
    with served(world, world.tandem_server, "--preferred-address", f"127.0.0.1:{preferred}") as server:
        gtlsclient(world, server.port)
    check([m for m in server.log().migrations() if m["tuple_local"]["port_v4"] == preferred], "the client did not go there")


def serve_over_threads_to_clients_behind_nats(world):
    """The kernel gives what comes from the new port to another thread's socket than before, three times out of four."""
    with served(world, world.tandem_server, "--threads", "4") as server:
        for client in (gtlsclient, curl_with_ngtcp2, curl_with_openssl, impit) * 2:
            with Nat(server.port, REBIND_AFTER) as nat:
                client(world, nat.port)
                check(nat.rebindings == 1 and min(nat.after_last.values()) > 0, f"nothing went over the new binding: {nat.after_last}")
    check(len(server.log().migrations()) >= 8, f"{len(server.log().migrations())} new paths were validated")


# Congestion marks.

def marks(world, client):
    with served(world, world.tandem_server) as server:
        client(world, server.port)
    log = server.log()
    check(log.ecn_states()[-1] == "capable", f"ECN went {log.ecn_states()}")
    check(any("ect0" in f for f in log.frames("received", "ack")), "the client reports no marks")
    check(any(f.get("ect0", 0) > 0 for f in log.frames("sent", "ack")), "the client sent no marks")


def serve_ecn_to_gtlsclient(world):
    marks(world, gtlsclient)


def serve_ecn_to_impit(world):
    marks(world, impit)


# Datagrams (RFC 9221).

def exchanges_datagrams(world, alpn, client):
    with served(world, world.quic_server, "--raw", alpn) as server:
        client(server.port)
    log = server.log()
    check(len(log.frames("received", "datagram")) >= 5 and len(log.frames("sent", "datagram")) >= 5, "not in the log")


def serve_datagrams_to_aioquic(world):
    exchanges_datagrams(world, "echo", lambda port: aioquic(world, port, "--datagrams", "5", names=()))


def serve_datagrams_to_bun(world):
    exchanges_datagrams(world, "hq-interop", lambda port: check(bun(world, port, "--datagrams", names=["1k.bin"])["datagrams"] == 5, "not all came back"))


def serve_datagrams_to_deno(world):
    exchanges_datagrams(world, "hq-interop", lambda port: check(deno(world, port, "--datagrams", names=["1k.bin"])["datagrams"] == 5, "not all came back"))


CASES = [serve_retry_to_gtlsclient, serve_retry_to_aioquic, serve_retry_to_curl_with_ngtcp2, serve_retry_to_curl_with_openssl,
         serve_0rtt_to_gtlsclient, serve_0rtt_to_aioquic, serve_0rtt_to_bun, serve_0rtt_to_deno, serve_session_to_openssl,
         serve_version_2_to_gtlsclient, serve_version_2_to_aioquic, serve_moves_gtlsclient_to_version_2, serve_moves_aioquic_to_version_2,
         serve_unknown_version_to_aioquic,
         serve_follows_key_update_of_gtlsclient, serve_follows_key_update_of_aioquic,
         serve_updates_keys_of_gtlsclient, serve_updates_keys_of_aioquic, serve_updates_keys_of_curl_with_ngtcp2,
         serve_updates_keys_of_curl_with_openssl, serve_updates_keys_of_impit, serve_updates_keys_of_bun,
         serve_gtlsclient_after_nat_rebinding, serve_aioquic_after_nat_rebinding, serve_curl_with_ngtcp2_after_nat_rebinding,
         serve_curl_with_openssl_after_nat_rebinding, serve_impit_after_nat_rebinding, serve_gtlsclient_after_migration,
         serve_aioquic_after_migration, serve_at_preferred_address_to_gtlsclient, serve_over_threads_to_clients_behind_nats,
         serve_ecn_to_gtlsclient, serve_ecn_to_impit, serve_datagrams_to_aioquic, serve_datagrams_to_bun, serve_datagrams_to_deno]
