"""Our client, servers by others: each case uses one feature of QUIC and then looks into our log of the connection whether it was used."""

import json

from nat import Nat
from qlog import Qlog
from world import PROGRAMS, TANDEM, World, check, free_port, run, sha

V1, V2 = "00000001", "6b3343cf"
REBIND_AFTER = 1_000_000  # of 5 000 000 bytes
SLOW = 8_000_000  # bytes a second: keys may be updated again only after three probe timeouts
CASES = []


def special(function):
    """A case that no other server has."""
    CASES.append(function)
    return function


def case(name, server, feature, *arguments, started_with=()):
    """A case that uses a feature of a server, which is started with some options."""
    def use(world):
        with server(world, *started_with) as port:
            feature(world, port, *arguments)

    use.__name__ = name
    CASES.append(use)


def get(world, port, *options, name="5m.bin"):
    """One file with `tandem get`; returns its log."""
    out = world.out()
    result = run([TANDEM, "get", "--http3-only", *options, "--cacert", world.certs / "ca.pem", "--qlog-dir", out / "qlog", "-o", out / name,
                  f"https://127.0.0.1:{port}/{name}"])
    check(result.returncode == 0, f"get: {result.stderr.strip()}")
    check(sha(out / name) == sha(world.www / name), f"{name} differs")
    return Qlog(out / "qlog")


def quic_client(world, port, *options, names=("5m.bin",)):
    """The same with a client that does what `tandem get` has no option for; returns what it says and its log."""
    out = world.out()
    result = run([PROGRAMS / "peers_quic_client", "--ca", world.certs / "ca.pem", "--port", port, "--out", out, "--qlog-dir", out / "qlog", *options,
                  *[f"/{n}" for n in names]])
    check(result.returncode == 0, f"quic_client: {result.stderr.strip()}")
    for name in names:
        check(sha(out / name) == sha(world.www / name), f"{name} differs")
    return json.loads(result.stdout), Qlog(out / "qlog")


# Address validation, versions.

def retries(world, port):
    log = get(world, port)
    check(len(log.packets("received", "retry")) == 1, "no Retry packet came")
    sources = [p for p in log.data("parameters_set") if p.get("initiator") == "remote" and "retry_source_connection_id" in p]
    check(sources, "the server does not confirm the Retry in its transport parameters")


case("get_gtlsserver_retries", World.gtlsserver, retries, started_with=["-V"])
case("get_nginx_retries", World.nginx, retries)
case("get_aioquic_retries", World.aioquic_server, retries)


def speaks_version_2(world, port, name="5m.bin"):
    log = get(world, port, "--quic-version", "v2", name=name)
    check(log.chosen_version() == V2, f"version {log.chosen_version()}")
    check(log.versions("received", "handshake") == {V2} and log.versions("sent", "initial") == {V2}, "packets of another version")


case("get_gtlsserver_speaks_version_2", World.gtlsserver, speaks_version_2)
# quic-go updates keys after 100 packets, in version 2 too with the label of version 1 (RFC 9369 3.3.2 has "quicv2 ku"): a short file.
case("get_caddy_speaks_version_2", World.caddy, speaks_version_2, "1k.bin")
case("get_aioquic_speaks_version_2", World.aioquic_feature_server, speaks_version_2)


def is_moved_to_version_2(world, port):
    """Compatible version negotiation (RFC 9368): begins with version 1, ends with version 2 without a round trip more."""
    _, log = quic_client(world, port, "--prefer", "v2")
    check(not log.packets("received", "version_negotiation"), "a Version Negotiation packet came")
    check(V1 in log.versions("sent", "initial"), "did not begin with version 1")
    check(log.versions("received", "handshake") == {V2} and log.versions("sent", "handshake") == {V2}, "did not end with version 2")


case("get_gtlsserver_moves_us_to_version_2", World.gtlsserver, is_moved_to_version_2, started_with=["--preferred-versions=v2,v1"])
case("get_aioquic_moves_us_to_version_2", World.aioquic_feature_server, is_moved_to_version_2)  # takes the client's first


@special
def get_nginx_knows_only_version_1(world):
    with world.nginx() as port:
        log = get(world, port, "--quic-version", "v2")
        check(log.packets("received", "version_negotiation"), "no Version Negotiation packet came")
        check(log.versions("received", "handshake") == {V1}, "did not end with version 1")


# Keys.

def updates_keys(world, port, *options):
    with Nat(port, rate=SLOW) as path:
        said, log = quic_client(world, path.port, "--packets-per-key", "10", *options, names=["5m.bin"] * 3)
    check(said["key_updates"] >= 2, f"{said['key_updates']} key updates")
    check(log.key_updates("local_update") >= 2, "not in the log")


case("get_gtlsserver_follows_key_updates", World.gtlsserver, updates_keys)
case("get_gtlsserver_follows_key_updates_over_version_2", World.gtlsserver, updates_keys, "--version", "v2", "--prefer", "v2")
case("get_nginx_follows_key_updates", World.nginx, updates_keys)
case("get_caddy_follows_key_updates", World.caddy, updates_keys)
case("get_aioquic_follows_key_updates", World.aioquic_feature_server, updates_keys)
case("get_bun_follows_key_updates", World.bun_server, updates_keys, "--alpn", "hq-interop")
case("get_deno_follows_key_updates", World.deno_server, updates_keys, "--alpn", "hq-interop")


@special
def get_aioquic_updates_keys(world):
    with world.aioquic_feature_server("--key-update") as port:
        _, log = quic_client(world, port, names=["1k.bin", "5m.bin", "s3.bin"])
        check(log.key_updates("remote_update") >= 2, "the server did not update keys")


# Addresses.

def is_rebound(world, port):
    """A NAT between us gives us another port in mid-transfer; the server validates it, the transfer goes on."""
    with Nat(port, REBIND_AFTER) as nat:
        log = get(world, nat.port)
        check(nat.rebindings == 1, "nothing was rebound")
        check(nat.after_last["to_server"] > 0 and nat.after_last["to_client"] > 0, f"nothing went over the last binding: {nat.after_last}")
        check(log.frames("received", "path_challenge"), "the server does not validate our new address")
        check(log.frames("sent", "path_response"), "no PATH_RESPONSE was sent")


case("get_gtlsserver_after_nat_rebinding", World.gtlsserver, is_rebound)
case("get_nginx_after_nat_rebinding", World.nginx, is_rebound)
case("get_caddy_after_nat_rebinding", World.caddy, is_rebound)
case("get_aioquic_after_nat_rebinding", World.aioquic_feature_server, is_rebound)


def migrates(world, port):
    said, log = quic_client(world, port, "--migrate-after", "500000")
    check(said["port_before"] != said["port_after"], "still on the same port")
    check(log.migrations() and log.frames("received", "path_response"), "the new path was not validated")
    ids = {p["header"]["dcid"] for p in log.packets("sent", "1RTT")}
    check(len(ids) >= 2, "the same connection ID on both paths")


case("get_gtlsserver_after_migration", World.gtlsserver, migrates)
case("get_nginx_after_migration", World.nginx, migrates)
case("get_caddy_after_migration", World.caddy, migrates)
case("get_aioquic_after_migration", World.aioquic_feature_server, migrates)


@special
def get_goes_to_preferred_address_of_gtlsserver(world):
    preferred = free_port()
    with world.gtlsserver(f"--preferred-ipv4-addr=127.0.0.1:{preferred}") as port:
        log = get(world, port)
    check([m for m in log.migrations() if m["tuple_remote"]["port_v4"] == preferred], "the connection did not go there")


# Congestion marks.

def marks(world, port, ends_as):
    log = get(world, port)
    check(log.ecn_states()[0] == "testing" and log.ecn_states()[-1] == ends_as, f"ECN went {log.ecn_states()}")
    reported = any("ect0" in f for f in log.frames("received", "ack"))
    check(reported == (ends_as == "capable"), "what the peer's ACK frames say does not fit")


case("get_gtlsserver_reports_ecn", World.gtlsserver, marks, "capable")
case("get_caddy_reports_ecn", World.caddy, marks, "capable")
case("get_nginx_reports_no_ecn", World.nginx, marks, "failed")


# Datagrams (RFC 9221).

def exchanges_datagrams(world, port):
    said, log = quic_client(world, port, "--alpn", "hq-interop", "--datagrams", "5", names=["1k.bin"])
    check(said["datagrams"] == 5 and said["datagram_bytes"] > 1000, str(said))
    check(len(log.frames("sent", "datagram")) == 5 and len(log.frames("received", "datagram")) == 5, "not in the log")


case("get_aioquic_echoes_datagrams", World.aioquic_feature_server, exchanges_datagrams)
case("get_bun_echoes_datagrams", World.bun_server, exchanges_datagrams)
case("get_deno_echoes_datagrams", World.deno_server, exchanges_datagrams)
