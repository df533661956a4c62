"""Chromium loads a page from `tandem serve`; JavaScript on the page tells which protocols it came over, and what arrived."""

import base64
import hashlib
import html
import json
import re

from features_of_clients import REBIND_AFTER, SLOW, served
from nat import Nat
from world import HERE, check, run, sha

NAMES = [f"s{i}.bin" for i in range(20)] + ["1k.bin", "5m.bin"]


def fingerprint(world):
    """Of the server's public key, for a browser that is to take its certificate."""
    public = run(["openssl", "x509", "-in", world.certs / "leaf.pem", "-pubkey", "-noout"]).stdout
    der = base64.b64decode("".join(public.splitlines()[1:-1]))
    return base64.b64encode(hashlib.sha256(der).digest()).decode()


def write_page(world):
    (world.www / "browser.html").write_text((HERE / "browser.html").read_text().replace("@NAMES@", " ".join(NAMES)))
    (world.www / "style.css").write_text("body { margin-top: 17px; }\n")
    (world.www / "script.js").write_text("window.scriptRan = true;\n")


def load(world, port, protocol, *options):
    """Everything on the page came, is what it was, and came over that protocol."""
    write_page(world)
    result = run(["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", f"--user-data-dir={world.out()}",
                  f"--ignore-certificate-errors-spki-list={fingerprint(world)}", "--virtual-time-budget=20000", *options, "--dump-dom",
                  f"https://127.0.0.1:{port}/browser.html"])
    found = re.search(r'<pre id="report">(.*?)</pre>', result.stdout, re.DOTALL)
    check(found and found[1].startswith("{"), f"no report: {result.stdout[-300:]} {result.stderr[-300:]}")
    report = json.loads(html.unescape(found[1]))
    check(report["page"] == protocol, f"the page came over {report['page']}")
    check(report["script"] and report["style"], "the script or the style sheet does not work")
    check({"style.css", "script.js"} <= {t["name"] for t in report["tags"]}, f"subresources: {report['tags']}")
    for file in report["tags"] + report["files"]:
        check(file["protocol"] == protocol, f"{file['name']} came over {file['protocol']}")
    check([f["name"] for f in report["files"]] == NAMES, "not all files came")
    for file in report["files"]:
        check(file["sha"] == sha(world.www / file["name"]), f"{file['name']} differs")


def load_over_http3(world, port):
    load(world, port, "h3", f"--origin-to-force-quic-on=127.0.0.1:{port}")


def serve_to_chromium_over_http2(world):
    with world.tandem_server() as port:
        load(world, port, "h2")


def serve_to_chromium_over_http3(world):
    with served(world, world.tandem_server) as server:
        load_over_http3(world, server.port)
    log = server.log()
    requests = {f["stream_id"] for f in log.frames("received", "stream") if f["stream_id"] % 4 == 0}
    check(len(requests) >= len(NAMES) + 3, f"{len(requests)} request streams")


def serve_retry_to_chromium(world):
    with served(world, world.tandem_server, "--retry") as server:
        load_over_http3(world, server.port)
    check([p for p in server.log().data("parameters_set") if p["initiator"] == "local" and "retry_source_connection_id" in p], "no Retry")


def serve_updates_keys_of_chromium(world):
    with served(world, world.quic_server, "--packets-per-key", "200") as server, Nat(server.port, rate=SLOW) as path:
        load_over_http3(world, path.port)
    check(server.log().key_updates("local_update") >= 1, "the server did not update keys")


def serve_chromium_after_nat_rebinding(world):
    with served(world, world.tandem_server) as server:
        with Nat(server.port, REBIND_AFTER) as nat:
            load_over_http3(world, nat.port)
            check(nat.rebindings == 1 and min(nat.after_last.values()) > 0, f"nothing went over the new binding: {nat.after_last}")
    check(server.log().migrations(), "no new path was validated")


CASES = [serve_to_chromium_over_http2, serve_to_chromium_over_http3, serve_retry_to_chromium, serve_updates_keys_of_chromium,
         serve_chromium_after_nat_rebinding]
