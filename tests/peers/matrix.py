"""Runs tandem against programs by others, as client and as server, and compares every file. Prints one line per case."""

import fnmatch
import sys
import tempfile
import time

import browser
import features_of_clients
import features_of_servers
import h2spec
import hostile_http2
import http1_differential
from world import AIOQUIC, AIOQUIC_ENV, AIOQUIC_EXAMPLES, PEERS, TANDEM, World, check, run, sha

# Our client, their server.

def fetch_all(world, port, *options, path="", names=None, version=None):
    """One file by one, then twenty at once on one connection."""
    out = world.out()
    base = f"https://127.0.0.1:{port}{path}"
    for name in names or world.files:
        result = run([TANDEM, "get", *options, "--cacert", world.certs / "ca.pem", "-o", out / name, "-w", "%{http_version}", f"{base}/{name}"])
        check(result.returncode == 0, f"get {name}: {result.stderr.strip()}")
        check(version is None or result.stdout == version, f"{name} came over HTTP/{result.stdout}")
        check(sha(out / name) == sha(world.www / name), f"{name} differs")
    small = [f"s{i}.bin" for i in range(20)]
    result = run([TANDEM, "get", *options, "--cacert", world.certs / "ca.pem", "--parallel", "-O", "--output-dir", out, *[f"{base}/{n}" for n in small]])
    check(result.returncode == 0, f"parallel get: {result.stderr.strip()}")
    for name in small:
        check(sha(out / name) == sha(world.www / name), f"{name} differs")


def get_from_gtlsserver(world):
    with world.gtlsserver() as port:
        fetch_all(world, port, "--http3-only")


def get_from_gtlsserver_with_retry(world):
    with world.gtlsserver("-V") as port:
        fetch_all(world, port, "--http3-only")


def get_from_gtlsserver_over_version_2(world):
    with world.gtlsserver() as port:
        fetch_all(world, port, "--http3-only", "--quic-version", "v2")


def get_from_gtlsserver_with_loss(world):
    with world.gtlsserver("-t", "0.05", "-r", "0.05") as port:
        fetch_all(world, port, "--http3-only")


def get_from_caddy(world):
    with world.caddy() as port:
        fetch_all(world, port, "--http3-only")


def get_from_caddy_over_http1(world):
    with world.caddy() as port:
        fetch_all(world, port, "--http1.1")


def get_from_caddy_over_http2(world):
    with world.caddy() as port:
        fetch_all(world, port, "--http2", version="2")


def get_from_nginx_with_retry(world):
    with world.nginx() as port:
        fetch_all(world, port, "--http3-only")


def get_from_nginx_over_http1(world):
    with world.nginx() as port:
        fetch_all(world, port, "--http1.1")


def get_from_nginx_over_http2(world):
    with world.nginx() as port:
        fetch_all(world, port, "--http2", version="2")


def get_from_aioquic_with_retry(world):
    with world.aioquic_server() as port:
        fetch_all(world, port, "--http3-only", names=["1k.bin", "5m.bin"])


def get_refuses_a_certificate_for_another_name(world):
    with world.gtlsserver(leaf="elsewhere", chain="elsewhere-chain") as port:
        out = world.out() / "file"
        result = run([TANDEM, "get", "--http3-only", "--cacert", world.certs / "ca.pem", "-o", out, f"https://127.0.0.1:{port}/1k.bin"])
        check(result.returncode == 60, f"exit code {result.returncode}: {result.stderr}")
        check(not out.exists(), "a file was left")
        check(len(result.stderr.strip().splitlines()) == 1, f"not one line: {result.stderr}")


def get_refuses_an_unknown_authority(world):
    with world.caddy() as port:
        for protocol in ("--http3-only", "--http1.1"):
            result = run([TANDEM, "get", protocol, "--cacert", world.certs / "other-ca.pem", "-o", world.out() / "file", f"https://127.0.0.1:{port}/1k.bin"])
            check(result.returncode == 60, f"{protocol}: exit code {result.returncode}: {result.stderr}")


def resumes(world, port, early, path="", name="1k.bin"):
    """Two runs with a session file: the second resumes, and its request goes as early data, which the server takes or not."""
    out = world.out()
    for run_number in (1, 2):
        result = run([TANDEM, "get", "--http3-only", "-v", "--session", out / "sessions", "--early-data", "--cacert", world.certs / "ca.pem",
                      "-o", out / name, f"https://127.0.0.1:{port}{path}/{name}"])
        check(result.returncode == 0, f"get: {result.stderr.strip()}")
        check(sha(out / name) == sha(world.www / name), f"{name} differs")
        check(oct((out / "sessions").stat().st_mode & 0o777) == "0o600", "the session file can be read by others")
        check(("resumed" in result.stderr) == (run_number == 2), f"run {run_number}: {result.stderr}")
        if run_number == 2 and early is not None:
            check(f"early data {early}" in result.stderr, result.stderr)
        (out / name).unlink()


def get_resumes_with_gtlsserver(world):
    with world.gtlsserver() as port:
        time.sleep(11)  # GnuTLS refuses early data in the first ten seconds, when it cannot know what was seen before
        resumes(world, port, "accepted")


def get_resumes_with_nginx(world):
    with world.nginx() as port:
        resumes(world, port, None)


def get_resumes_with_aioquic(world):
    with world.aioquic_server() as port:
        resumes(world, port, "accepted")


def get_resumes_with_caddy(world):
    with world.caddy() as port:
        resumes(world, port, "accepted")


def get_resumes_tls_over_tcp(world):
    with world.caddy() as port:
        out = world.out()
        for run_number in (1, 2):
            result = run([TANDEM, "get", "--http2", "-v", "--session", out / "sessions", "--cacert", world.certs / "ca.pem", "-o", out / "1k.bin",
                          f"https://127.0.0.1:{port}/1k.bin"])
            check(result.returncode == 0, result.stderr)
            check(("resumed" in result.stderr) == (run_number == 2), f"run {run_number}: {result.stderr}")


# Their client, our server.

def gtlsclient_fetches(world, *server_options, client_options=()):
    with world.tandem_server(*server_options) as port:
        out = world.out()
        for name in ("1k.bin", "5m.bin"):
            result = run(["gtlsclient", "-q", "--exit-on-all-streams-close", "--no-http-dump", f"--download={out}", "--sni=localhost", *client_options,
                          "127.0.0.1", port, f"https://localhost:{port}/{name}"])
            check(result.returncode == 0, f"{name}: {result.stderr[-300:]}")
            check(sha(out / name) == sha(world.www / name), f"{name} differs")


def serve_to_gtlsclient(world):
    gtlsclient_fetches(world)


def serve_to_gtlsclient_with_loss(world):
    gtlsclient_fetches(world, client_options=("-t", "0.05", "-r", "0.05"))


def serve_to_gtlsclient_with_chacha20(world):
    gtlsclient_fetches(world, client_options=("--ciphers=NORMAL:-VERS-ALL:+VERS-TLS1.3:-CIPHER-ALL:+CHACHA20-POLY1305",))


def serve_to_gtlsclient_of_an_unknown_version(world):
    gtlsclient_fetches(world, client_options=("-v", "0x1a2a3a4a", "--preferred-versions=v1"))


def curl_fetches(world, curl, version, *options):
    with world.tandem_server() as port:
        out = world.out()
        for name in world.files:
            result = run([*curl, "-sS", *options, "--cacert", world.certs / "ca.pem", "-o", out / name, "-w", "%{http_version} %{http_code} %{size_download}",
                          f"https://127.0.0.1:{port}/{name}"])
            check(result.returncode == 0, f"{name}: {result.stderr.strip()}")
            check(result.stdout == f"{version} 200 {world.files[name]}", f"{name}: {result.stdout}")
            if world.files[name]:
                check(sha(out / name) == sha(world.www / name), f"{name} differs")
        names = [f"s{i}.bin" for i in range(20)]
        result = run([*curl, "-sS", *options, "--cacert", world.certs / "ca.pem", "--parallel", "--remote-name-all", "--output-dir", out,
                      *[f"https://127.0.0.1:{port}/{n}" for n in names]])
        check(result.returncode == 0, f"parallel: {result.stderr.strip()}")
        for name in names:
            check(sha(out / name) == sha(world.www / name), f"{name} differs")
        result = run([*curl, "-sS", *options, "--cacert", world.certs / "other-ca.pem", f"https://127.0.0.1:{port}/1k.bin"])
        check(result.returncode == 60, f"curl accepted an unknown authority: {result.returncode}")


def serve_to_curl_with_ngtcp2(world):
    curl_fetches(world, [PEERS / "curl-ngtcp2/run", "curl"], "3", "--http3-only")


def serve_to_curl_with_openssl(world):
    curl_fetches(world, [PEERS / "curl-openssl/run", "curl"], "3", "--http3-only")


def serve_to_curl_over_http1(world):
    curl_fetches(world, ["curl"], "1.1", "--http1.1")


def serve_to_curl_over_http2(world):
    curl_fetches(world, ["curl"], "2", "--http2")


def serve_to_nghttp(world):
    with world.tandem_server() as port:
        base = f"https://127.0.0.1:{port}"
        result = run(["nghttp", "-nvs", *[f"{base}/s{i}.bin" for i in range(20)], f"{base}/5m.bin"])
        check(result.returncode == 0, result.stderr[-300:])
        check(result.stdout.count(":status: 200") == 21, result.stdout[-300:])
        check("error_code=NO_ERROR" in result.stdout, "no orderly end")
        upload = run(["nghttp", "-nv", "-d", world.www / "5m.bin", f"{base}/1k.bin"])
        check(":status: 405" in upload.stdout, upload.stdout[-300:])


def serve_to_h2load(world):
    with world.tandem_server() as port:
        result = run(["h2load", "-n", "20000", "-c", "10", "-m", "50", f"https://127.0.0.1:{port}/1k.bin"])
        check("20000 succeeded, 0 failed" in result.stdout, result.stdout[-500:])
        check("Application protocol: h2" in result.stdout, result.stdout[:500])


def serve_to_aioquic(world):
    with world.tandem_server() as port:
        out = world.out()
        result = run([*AIOQUIC, AIOQUIC_EXAMPLES / "http3_client.py", "--ca-certs", world.certs / "ca.pem", "--output-dir", out,
                      f"https://127.0.0.1:{port}/5m.bin"], env=AIOQUIC_ENV)
        check(result.returncode == 0, result.stderr[-300:])
        check(sha(out / "5m.bin") == sha(world.www / "5m.bin"), "5m.bin differs")


# Peers that break rules.

def hostile_http2_client_gets_the_right_errors(world):
    with world.tandem_server() as port:
        wrong = hostile_http2.failures(port)
        check(not wrong, "; ".join(wrong))
        result = run([TANDEM, "get", "--http2", "--cacert", world.certs / "ca.pem", "-o", "/dev/null", f"https://127.0.0.1:{port}/5m.bin"])
        check(result.returncode == 0, f"the server does not go on: {result.stderr}")


def http2_server_passes_h2spec(world):
    with world.tandem_server() as port:
        return h2spec.run(port, "/1k.bin")


def http1_requests_are_read_as_nginx_reads_them(world):
    with world.tandem_server() as ours, world.nginx() as theirs:
        wrong = http1_differential.differences(ours, theirs)
        check(not wrong, "; ".join(wrong))


# Captures.

def wireshark_decrypts_the_simulation(world):
    out = world.out()
    result = run([TANDEM, "compare", "--page", "2x20KB", "--runs", "1", "--pcap", out, "--report", out / "report.html"])
    check(result.returncode == 0, result.stderr)
    tshark = [PEERS / "tshark/run", "tshark"]
    for cell, expression in (("h3-quic", "http3.headers.header.value"), ("h3-tcp", "tls.app_data"), ("h1-1conn", "http.response.code")):
        capture = out / f"{cell}.pcapng"
        result = run([*tshark, "-r", capture, "-d", "udp.port==443,quic", "-Y", expression, "-T", "fields", "-e", "frame.number"])
        check(result.stdout.strip(), f"{cell}: nothing decrypted: {result.stderr[-300:]}")
        result = run([*tshark, "-r", capture, "-d", "udp.port==443,quic", "-Y", "_ws.expert.severity >= 8388608", "-T", "fields", "-e", "_ws.expert.message"])
        check(not result.stdout.strip(), f"{cell}: {result.stdout[:300]}")


CASES = [get_from_gtlsserver, get_from_gtlsserver_with_retry, get_from_gtlsserver_over_version_2, get_from_gtlsserver_with_loss,
         get_from_caddy, get_from_caddy_over_http1, get_from_caddy_over_http2, get_from_nginx_with_retry, get_from_nginx_over_http1,
         get_from_nginx_over_http2, get_from_aioquic_with_retry, get_refuses_a_certificate_for_another_name,
         get_refuses_an_unknown_authority, serve_to_gtlsclient, serve_to_gtlsclient_with_loss, serve_to_gtlsclient_with_chacha20,
         serve_to_gtlsclient_of_an_unknown_version, serve_to_curl_with_ngtcp2, serve_to_curl_with_openssl, get_resumes_with_gtlsserver,
         get_resumes_with_nginx, get_resumes_with_aioquic, get_resumes_with_caddy, get_resumes_tls_over_tcp, serve_to_curl_over_http1,
         serve_to_curl_over_http2, serve_to_nghttp, serve_to_h2load, serve_to_aioquic, *features_of_servers.CASES,
         *features_of_clients.CASES, *browser.CASES, hostile_http2_client_gets_the_right_errors, http2_server_passes_h2spec,
         http1_requests_are_read_as_nginx_reads_them, wireshark_decrypts_the_simulation]




def outcome(case, world):
    """Whether a case passes (None: it could not be run), and the line that says so."""
    begin = time.monotonic()
    try:
        said = case(world)
        return True, f"ok   {case.__name__} ({time.monotonic() - begin:.1f} s)" + (f" {said}" if said else "")
    except h2spec.NotOnPath as why:
        return None, f"--   {case.__name__}: {why}: not run"
    except Exception as error:  # whatever it is, the other cases go on
        return False, f"FAIL {case.__name__}: {type(error).__name__}: {error}"


def main():
    pattern = sys.argv[1] if len(sys.argv) > 1 else "*"
    cases = [case for case in CASES if fnmatch.fnmatch(case.__name__, pattern)]
    results = []
    with tempfile.TemporaryDirectory(prefix="tandem-peers-") as folder:
        world = World(folder)
        for case in cases:  # one at a time: some count what happens within probe timeouts, which grow when others use the processors
            good, line = outcome(case, world)
            results.append(good)
            print(line, flush=True)
    passed, failed, missing = results.count(True), results.count(False), results.count(None)
    print(f"{passed} passed, {failed} failed" + (f", {missing} not run" if missing else ""))
    return 1 if failed or not results else 0


if __name__ == "__main__":
    sys.exit(main())
