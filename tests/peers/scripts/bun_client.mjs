// Fetches files with lsquic (node:quic of bun) over hq-interop, and does something on the way. Prints what happened as JSON.
//   bun_client.mjs PORT OUT PATH... [--datagrams] [--resume]
import { connect } from "node:quic";
const given = process.argv.slice(2);
const [port, out, ...paths] = given.filter((a) => !a.startsWith("--"));
const wants = (flag) => given.includes("--" + flag);

async function once(more = {}) {
  let ticket, token, datagrams = 0;
  const session = await connect({ address: "127.0.0.1", port: +port, family: "ipv4" }, {
    alpn: "hq-interop", servername: "localhost", verifyPeer: "manual", rejectUnauthorized: false, transportParams: { maxDatagramFrameSize: 1200 },
    onsessionticket: (t) => { ticket = t; }, onnewtoken: (t) => { token = t; }, ondatagram: () => { datagrams++; }, ...more });
  session.closed.catch(() => {});
  const opened = session.opened;
  if (!more.sessionTicket) await opened;
  for (const path of paths) {
    const stream = await session.createBidirectionalStream({ body: new TextEncoder().encode(`GET ${path}\r\n`) });
    stream.closed.catch(() => {});
    const sink = Bun.file(out + path).writer();
    for await (const chunks of stream) for (const chunk of chunks) sink.write(chunk);
    await sink.end();
  }
  const info = await opened;
  for (let i = 0; wants("datagrams") && i < 5; i++) {
    await session.sendDatagram("ping" + i);
    for (let wait = 0; datagrams <= i && wait < 500; wait++) await Bun.sleep(10);
  }
  for (let wait = 0; wants("resume") && !ticket && !more.sessionTicket && wait < 200; wait++) await Bun.sleep(10);
  session.close().catch(() => {});
  return { ticket, token, report: { datagrams, early_tried: info.earlyDataAttempted, early_accepted: info.earlyDataAccepted } };
}

let result = await once();
if (wants("resume")) result = await once({ sessionTicket: result.ticket, token: result.token });
console.log(JSON.stringify(result.report));
process.exit(0);
