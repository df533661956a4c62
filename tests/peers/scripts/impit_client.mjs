// Fetches one URL over HTTP/3 with quinn and hyperium's h3 (impit), into a file.
//   impit_client.mjs MODULES URL FILE
import { createRequire } from "node:module";
import { writeFileSync } from "node:fs";
const [modules, url, file] = process.argv.slice(2);
const { Impit } = createRequire(modules + "/")("impit");
const client = new Impit({ http3: true, ignoreTlsErrors: true });
const response = await client.fetch(url, { forceHttp3: true });
writeFileSync(file, Buffer.from(await response.arrayBuffer()));
console.log(response.status);
globalThis.client = client; // until here: with the client its connection goes
