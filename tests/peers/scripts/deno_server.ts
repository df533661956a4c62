// Serves files with quinn (Deno's QUIC) over hq-interop, and echoes datagrams. Environment: PORT CERT KEY WWW.
const given = (name: string) => Deno.env.get(name)!;
const listener = new Deno.QuicEndpoint({ hostname: "127.0.0.1", port: +given("PORT") }).listen(
  { cert: Deno.readTextFileSync(given("CERT")), key: Deno.readTextFileSync(given("KEY")), alpnProtocols: ["hq-interop"], maxIdleTimeout: 30000 });

async function echo(connection: Deno.QuicConn) {
  while (true) await connection.sendDatagram(await connection.readDatagram());
}
async function answer(stream: Deno.QuicBidirectionalStream) {
  const request = await new Response(stream.readable).text();
  const writer = stream.writable.getWriter();
  await writer.write(await Deno.readFile(given("WWW") + /^GET (\S+)/.exec(request)![1]));
  await writer.close();
}
async function serve(connection: Deno.QuicConn) {
  for await (const stream of connection.incomingBidirectionalStreams) answer(stream).catch(() => {});
}

while (true) {
  const connection = (await listener.incoming()).accept({ zeroRtt: true });
  connection.closed.catch(() => {});
  echo(connection).catch(() => {}); // until it is closed
  serve(connection).catch(() => {});
}
