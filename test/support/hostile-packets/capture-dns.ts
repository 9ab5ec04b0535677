// Makes test/fixtures/packets/dns.json anew, as root: `npx tsx test/support/hostile-packets/capture-dns.ts`. What real
// avahi-daemons say in a network of its own: when they come, when they are asked, and when they go.
import { writeFileSync } from "node:fs";
import { startAvahi, startNetwork, type AvahiOptions } from "../network.ts";
import { concat } from "./dhcp-packets.ts";

interface Capture {
  readonly what: string;
  readonly hex: string;
}

const GROUP = "224.0.0.251";
const PORT = 5353;
const types = { A: 1, PTR: 12, TXT: 16, AAAA: 28, SRV: 33, ANY: 255 } as const;

/** A question (RFC 1035 4.1.2). */
function question(name: string, type: keyof typeof types, id: number): string {
  const labels = name.split(".").flatMap((label) => [label.length, ...Buffer.from(label)]);
  const packet = concat([id >> 8, id & 255, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0], labels, [0, 0, types[type], 0, 1]);
  return Buffer.from([...packet]).toString("hex");
}

const service = "_xmpp-client._tcp.local";
const setups: readonly (readonly [string, AvahiOptions])[] = [
  [
    "all four keys",
    {
      name: "Pronto XMPP",
      hostName: "pronto",
      txt: ["txtvers=1", "ordom=pronto.local", "regis=discovery.pronto.local", "provis=provisioning.pronto.local"],
    },
  ],
  ["no TXT", { name: "pronto", hostName: "pronto", txt: [] }],
  [
    "lists",
    { name: "p", hostName: "p", port: 5299, txt: ["ordom=p.example", "regis=a b@p.example c.p.example", "provis=x y"] },
  ],
  [
    "much",
    {
      name: "m".repeat(63),
      hostName: "m",
      txt: Array.from({ length: 12 }, (_, index) => `key${index}=${"x".repeat(90)}`),
    },
  ],
];

const captures: Capture[] = [];
const network = await startNetwork({ hosts: ["srv", "cli"] });
try {
  const [srv, cli] = [network.host("srv"), network.host("cli")];
  for (const [setup, options] of setups) {
    const { name, hostName = "" } = options;
    const questions = (id: number): readonly string[] => [
      question(service, "PTR", id),
      question(service, "ANY", id),
      question(`${name}.${service}`, "SRV", id),
      question(`${name}.${service}`, "TXT", id),
      question(`${hostName}.local`, "A", id),
      question(`${hostName}.local`, "AAAA", id),
    ];
    const listen = {
      port: PORT,
      bind: "0.0.0.0",
      to: GROUP,
      toPort: PORT,
      group: GROUP,
      packets: questions(0),
      wait: 1_500,
    };
    const ask = { port: 0, bind: cli.address, to: GROUP, toPort: PORT, packets: questions(1), wait: 500 };
    const hearing = cli.node("test/network/udp.ts", [JSON.stringify(listen)]);
    const avahi = await startAvahi(srv, options);
    const asking = cli.node("test/network/udp.ts", [JSON.stringify(ask)]);
    await asking.exited;
    await avahi.stop();
    await hearing.exited;
    for (const [how, running] of [["to all", hearing] as const, ["to us", asking] as const]) {
      for (const [, from, hex = ""] of running.stdout().matchAll(/^(\S+) ([\da-f]+)$/gm)) {
        if (from === srv.address && !captures.some((each) => each.hex === hex))
          captures.push({ what: `${how}: ${setup}`, hex });
      }
    }
  }
} finally {
  await network.stop();
}
const file = new URL("../../fixtures/packets/dns.json", import.meta.url);
writeFileSync(file, `${JSON.stringify(captures, null, 2)}\n`);
console.log(captures.map(({ what, hex }) => `${hex.length / 2} bytes: ${what}`).join("\n"));
