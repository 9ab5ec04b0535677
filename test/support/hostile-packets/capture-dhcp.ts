// Makes test/fixtures/packets/dhcp.json anew, as root: `npx tsx test/support/hostile-packets/capture-dhcp.ts`. What a real
// dnsmasq says, in a network of its own, to questions of several kinds under several configurations.
import { writeFileSync } from "node:fs";
import { buildDhcpInform } from "../../../src/codec/dhcp.ts";
import { startDnsmasq, startNetwork, type DnsmasqOptions } from "../network.ts";
import { concat } from "./dhcp-packets.ts";

/** A packet, and what it is. */
interface Capture {
  readonly what: string;
  readonly hex: string;
}

const hex = (packet: Uint8Array): string => Buffer.from([...packet]).toString("hex");
const XID = 0x07070707;
const HARDWARE = "02:00:00:00:00:07";
const everything = Array.from({ length: 60 }, (_, index) => index + 1);

/** DHCPDISCOVER, with the broadcast flag, for who has no address yet. */
function discover(): Uint8Array {
  const packet = buildDhcpInform({ xid: XID, address: "0.0.0.0", hardware: HARDWARE, wanted: [84, 224, 15] });
  packet[10] = 0x80;
  packet[242] = 1;
  return packet;
}

/** The same as an INFORM, but for answers of at most 576 bytes: dnsmasq then uses `file` and `sname` for options. */
function narrow(packet: Uint8Array): Uint8Array {
  const result = concat(packet);
  result.set([576 >> 8, 576 & 255], 245);
  return result;
}

const home = { options: ["224,pronto.local", "84,pronto.local", "option:domain-name,home.example"] };
const long = "a.very.long.name.of.a.home.".repeat(8);
const setups: readonly (readonly [string, DnsmasqOptions])[] = [
  ["options 224, 84 and 15", home],
  ["a name to complete, with a NUL", { options: ["224,70:72:6f:6e:74:6f:00", "option:domain-name,home.example"] }],
  ["no option of ours", { options: ["option:dns-server,10.77.0.1,10.77.0.2"] }],
  [
    "more options than fit in one field",
    {
      options: [
        ...home.options,
        `43,${long}`,
        `66,${long}`,
        `67,boot.${long}`,
        "option:ntp-server,10.77.0.1",
        `17,${long}`,
      ],
    },
  ],
  ["boot file and server name", { ...home, lines: ["dhcp-boot=pxelinux.0,bootserver,10.77.0.1"] }],
];

const captures: Capture[] = [];
const network = await startNetwork({ hosts: ["srv", "cli"] });
try {
  const [srv, cli] = [network.host("srv"), network.host("cli")];
  const inform = (wanted: readonly number[]): Uint8Array =>
    buildDhcpInform({ xid: XID, address: cli.address, hardware: HARDWARE, wanted });
  const questions: readonly (readonly [string, Uint8Array, number])[] = [
    ["answer to INFORM", inform([84, 224, 15]), 0],
    ["answer to INFORM for everything", inform([...everything, 66, 67, 84, 224]), 0],
    ["short answer to INFORM for everything", narrow(inform([...everything, 66, 67, 84, 224])), 0],
    ["OFFER", discover(), 68],
  ];
  for (const [setup, options] of setups) {
    const dnsmasq = await startDnsmasq(srv, options);
    for (const [question, packet, port] of questions) {
      const job = { port, bind: port === 0 ? cli.address : "0.0.0.0", to: "255.255.255.255", toPort: 67 };
      const asked = cli.node("test/network/udp.ts", [JSON.stringify({ ...job, packets: [hex(packet)], wait: 3_500 })]);
      await asked.exited;
      for (const [, , bytes = ""] of asked.stdout().matchAll(/^(\S+) ([\da-f]+)$/gm)) {
        if (!captures.some((each) => each.hex === bytes)) captures.push({ what: `${question}: ${setup}`, hex: bytes });
      }
    }
    await dnsmasq.stop();
  }
} finally {
  await network.stop();
}
const file = new URL("../../fixtures/packets/dhcp.json", import.meta.url);
writeFileSync(file, `${JSON.stringify(captures, null, 2)}\n`);
console.log(captures.map(({ what, hex: bytes }) => `${bytes.length / 2} bytes: ${what}`).join("\n"));
