// Run inside a host of a test's network: answers every question of multicast DNS with lies, also unasked, floods the
// network, and runs XMPP servers that take whatever they are given. What they get is printed, one line of JSON each.
import { createSocket } from "node:dgram";
import { readFileSync } from "node:fs";
import { createServer, type Socket } from "node:net";
import { TLSSocket, createSecureContext } from "node:tls";
import type { Answer } from "dns-packet";
import mdns from "multicast-dns";
import type { LiarSettings } from "./home.ts";

const settings = JSON.parse(process.argv[2] ?? "") as LiarSettings;
const { address, domain, trueHost, flood } = settings;
const context = createSecureContext({ cert: readFileSync(settings.cert), key: readFileSync(settings.key) });
const got = (port: number, how: "clear" | "tls", data: string): void =>
  console.log(JSON.stringify({ got: { port, how, data } }));

const NS = "xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'";
const STARTTLS = "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>";
const OPEN =
  "<mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><mechanism>PLAIN</mechanism>" +
  "<mechanism>SCRAM-SHA-1</mechanism><mechanism>ANONYMOUS</mechanism></mechanisms>" +
  "<register xmlns='http://jabber.org/features/iq-register'/>";

/** A server that lets everybody in, and anything with a form. */
function serve(socket: Socket | TLSSocket, port: number, how: "clear" | "tls", offers: string): void {
  socket.on("error", () => undefined);
  socket.on("data", (chunk: Buffer) => {
    const data = chunk.toString();
    got(port, how, data);
    if (data.includes("<stream:stream")) {
      socket.write(`<?xml version='1.0'?><stream:stream ${NS} id='1' from='${domain}' version='1.0'>`);
      socket.write(`<stream:features>${offers}</stream:features>`);
    }
    if (data.includes("<starttls")) {
      socket.removeAllListeners("data");
      socket.write("<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>");
      serve(new TLSSocket(socket, { isServer: true, secureContext: context }), port, "tls", OPEN);
    }
    const [, id] = /<iq[^>]* id=["']([^"']+)/.exec(data) ?? [];
    if (id !== undefined) socket.write(`<iq type='result' id='${id}'/>`);
    if (data.includes("<auth")) socket.write("<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>");
  });
}
createServer((socket) => serve(socket, 5222, "clear", STARTTLS + OPEN)).listen(5222, "::");
createServer((socket) => {
  socket.on("error", () => undefined);
  got(5223, "clear", "");
  serve(new TLSSocket(socket, { isServer: true, secureContext: context }), 5223, "tls", OPEN);
}).listen(5223, "::");
createServer((socket) => serve(socket, 5224, "clear", OPEN)).listen(5224, "::");

const TYPE = "_xmpp-client._tcp.local";
const ptr = (instance: string, ttl = 120): Answer => ({ name: TYPE, type: "PTR", ttl, data: instance });

/** All records of one announcement. */
function announce(label: string, port: number, txt: readonly string[], target = "liar.local"): Answer[] {
  const instance = `${label}.${TYPE}`;
  return [
    ptr(instance),
    { name: instance, type: "SRV", ttl: 120, data: { port, target, priority: 0, weight: 65_535 } },
    { name: instance, type: "TXT", ttl: 120, data: [...txt] },
    { name: "liar.local", type: "A", ttl: 120, data: address },
  ];
}

const accounts = ["regis=mallory", "provis=trudy mallory"];
const lies: Answer[][] = [
  // Domains of his own, with a Registry and a Provisioning Server that nobody ever heard of.
  ...["evil.example", "liar.local"].map((own) => announce(own, 5222, [`ordom=${own}`, ...accounts])),
  // The true domain, at hosts of his, in every way of talking.
  ...[5222, 5223, 5224].map((port) => announce(`Better XMPP ${port}`, port, [`ordom=${domain}`, ...accounts])),
  // The true server, with accounts on it that are his, and with one that is no domain of it at all.
  announce("True XMPP", 5222, ["txtvers=1", `ordom=${domain}`, ...accounts], trueHost),
  announce("Also true", 5222, [`ordom=${domain}`, "regis=registry.evil.example", "provis=evil.example"], trueHost),
];
/** The true announcement is taken back, and the true host given another address. */
const spoilers: Answer[] = [ptr(`Pronto XMPP.${TYPE}`, 0), { name: trueHost, type: "A", ttl: 120, data: address }];

const responder = mdns({ interface: address, bind: "0.0.0.0" });
responder.on("query", () => {
  for (const answers of lies) responder.respond(answers);
});
setInterval(() => {
  for (const answers of lies) responder.respond(answers);
  responder.respond(spoilers);
}, 250);

/** New names, hosts and garbage, a few hundred a second. */
let count = 0;
const raw = createSocket({ type: "udp4", reuseAddr: true });
raw.bind(0, address, () => {
  raw.setMulticastInterface(address);
  if (!flood) return;
  setInterval(() => {
    for (let i = 0; i < 20; i++) {
      count++;
      const name = `flood-${count}`;
      responder.respond(announce(name, 1 + (count % 65_535), [`ordom=${name}.example`], `${name}.local`));
      const garbage = Buffer.from(
        Array.from({ length: 40 + (count % 400) }, (_, at) => (at < 12 ? [0, 0, 132][at] : 0) ?? (count * at) % 256),
      );
      raw.send(new Uint8Array(garbage), 5353, "224.0.0.251");
    }
  }, 50);
});
console.log("lying");
