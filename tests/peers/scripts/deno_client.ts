// Fetches files with quinn (Deno's QUIC) over hq-interop, and does something on the way. Prints what happened as JSON.
//   deno_client.ts PORT OUT PATH... [--datagrams] [--resume]; environment: CA
const paths = Deno.args.filter((a) => !a.startsWith("--"));
const [port, out] = paths.splice(0, 2);
const wants = (flag: string) => Deno.args.includes("--" + flag);
const endpoint = new Deno.QuicEndpoint();

async function once(zeroRtt: boolean) {
  const attempt = Deno.connectQuic({ hostname: "127.0.0.1", port: +port, serverName: "localhost", alpnProtocols: ["hq-interop"],
    caCerts: [Deno.readTextFileSync(Deno.env.get("CA")!)], endpoint, zeroRtt });
  const early = !(attempt instanceof Promise); // the connection is there at once: what is sent now goes as early data
  const connection = await attempt;
  connection.closed.catch(() => {});
  for (const path of paths) {
    const stream = await connection.createBidirectionalStream();
    const writer = stream.writable.getWriter();
    await writer.write(new TextEncoder().encode(`GET ${path}\r\n`));
    await writer.close();
    await Deno.writeFile(out + path, new Uint8Array(await new Response(stream.readable).arrayBuffer()));
  }
  let datagrams = 0;
  for (; wants("datagrams") && datagrams < 5; datagrams++) {
    await connection.sendDatagram(new TextEncoder().encode("ping" + datagrams));
    const back = new TextDecoder().decode(await connection.readDatagram());
    if (back !== "ping" + datagrams) throw new Error("a datagram came back different: " + back);
  }
  if (wants("resume") && !zeroRtt) await new Promise((r) => setTimeout(r, 200)); // for the ticket
  connection.close({ closeCode: 0, reason: "" });
  return { early, datagrams };
}

let report = await once(false);
if (wants("resume")) report = await once(true);
console.log(JSON.stringify(report));
await new Promise((r) => setTimeout(r, 50)); // for the last packet
Deno.exit(0);
