// Serves files with lsquic (node:quic of bun) over hq-interop, and echoes datagrams. Environment: PORT CERT KEY WWW.
import { listen } from "node:quic";
import { existsSync, readFileSync } from "node:fs";
import { createPrivateKey } from "node:crypto";
const { PORT, CERT, KEY, WWW } = process.env;

await listen((session) => {
  session.onerror = () => {};
  session.closed.catch(() => {});
  session.opened.catch(() => {});
  session.ondatagram = (data) => { session.sendDatagram(data).catch(() => {}); };
  session.onstream = async (stream) => {
    stream.closed.catch(() => {});
    if (stream.direction === "uni") return;
    let request = "";
    for await (const chunks of stream) for (const chunk of chunks) request += new TextDecoder().decode(chunk);
    const file = WWW + (/^GET (\S+)/.exec(request)?.[1] ?? "/");
    stream.setBody(existsSync(file) ? readFileSync(file) : new Uint8Array());
  };
}, {
  endpoint: { address: { address: "127.0.0.1", port: +PORT } }, sni: { "*": { keys: [createPrivateKey(readFileSync(KEY))], certs: [readFileSync(CERT)] } },
  alpn: ["hq-interop"], transportParams: { maxDatagramFrameSize: 1200, initialMaxStreamsBidi: 100n, initialMaxStreamsUni: 10n },
});
