// Reads a Thing when it is told to, and tells how long each readout took.  Usage: readout-reader.mjs KIND JID
//   owner   the owner's client of the package
//   bare    a bare @xmpp/client with TCP_NODELAY, for what answers by one IQ result
//   nagle   a bare @xmpp/client that leaves Nagle's algorithm on, for a Thing of XEP-0323
// In: NAME COUNT AT_ONCE; out: NAME and what it took, as JSON.  In the environment: SERVICE, DOMAIN, READER, PASSWORD
import { createInterface } from "node:readline";
import { client, xml } from "@xmpp/client";
import { connect, OwnerClient } from "xmpp-thing/owner";

const NS = "urn:xmpp:iot:sensordata";
const FIELDS = 10;
const [kind, to] = process.argv.slice(2);
const { SERVICE: service, DOMAIN: domain, READER: username, PASSWORD: password } = process.env;

async function owner() {
  const client = new OwnerClient(await connect({ service, domain, username, password }));
  return async () => {
    const [group] = await client.read(to);
    return group.fields.length;
  };
}

/** What a program without the package would take out of the fields. */
const valuesOf = (element) =>
  element
    .getChild("node")
    .getChild("timestamp")
    .getChildren("numeric")
    .map(({ attrs: { name, value, unit } }) => ({ name, value: Number(value), unit }));

async function online(noDelay) {
  const xmpp = client({ service, domain, username, password });
  xmpp.on("error", (error) => console.error(error));
  await xmpp.start();
  if (noDelay) xmpp.socket.socket.setNoDelay(true);
  await xmpp.send(xml("presence"));
  return xmpp;
}

let seqnr = 0;
const request = () =>
  xml("iq", { type: "get", to }, xml("req", { xmlns: NS, seqnr: String(++seqnr), momentary: "true" }));

async function bare() {
  const { iqCaller } = await online(true);
  return async () => {
    const answer = await iqCaller.request(request());
    return valuesOf(answer.getChild("fields", NS)).length;
  };
}

async function nagle() {
  const xmpp = await online(false);
  const waiting = new Map();
  xmpp.on("stanza", (stanza) => {
    const fields = stanza.is("message") ? stanza.getChild("fields", NS) : undefined;
    if (fields?.attrs.done === "true") waiting.get(fields.attrs.seqnr)?.(fields);
  });
  return async () => {
    const asked = request();
    const told = new Promise((resolve) => waiting.set(asked.getChild("req").attrs.seqnr, resolve));
    await xmpp.iqCaller.request(asked);
    return valuesOf(await told).length;
  };
}

const readOnce = await { owner, bare, nagle }[kind]();

async function timed(count, atOnce) {
  const times = [];
  let left = count;
  const began = performance.now();
  const worker = async () => {
    while (left-- > 0) {
      const from = performance.now();
      if ((await readOnce()) !== FIELDS) throw new Error("a readout without its fields");
      times.push(performance.now() - from);
    }
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
  return { rate: (count * 1_000) / (performance.now() - began), times: times.map((ms) => Number(ms.toFixed(3))) };
}

await timed(5, 1);
console.log("ready 1");
for await (const line of createInterface({ input: process.stdin })) {
  const [name, count, atOnce] = line.trim().split(" ");
  console.log(`${name} ${JSON.stringify(await timed(Number(count), Number(atOnce)))}`);
}
