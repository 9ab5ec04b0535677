// Run inside a host of a test's network: asks by multicast DNS, or says to all DHCP servers what it is told, and prints
// a line for whatever is answered.
import { createSocket } from "node:dgram";
import { networkInterfaces } from "node:os";
import multicastDns from "multicast-dns";

const [what, ...args] = process.argv.slice(2);
const own = networkInterfaces()["lan0"]?.find(({ family }) => family === "IPv4");
const PATIENCE = 2_500;

if (what === "mdns") {
  // `mdns NAME TYPE [ADDRESS]`: as one of those who listen, or, with an address, by a packet to that host alone.
  const [name = "", type = "", address] = args;
  const socket = createSocket("udp4");
  const dns =
    address === undefined
      ? multicastDns({ interface: own?.address, bind: "0.0.0.0" })
      : multicastDns({ socket, bind: false, multicast: false });
  dns.on("response", ({ answers = [], additionals = [] }, { address: from }: { address: string }) => {
    for (const record of [...answers, ...additionals]) {
      const data = "data" in record ? record.data : undefined;
      const text = Array.isArray(data) ? data.map(String).join(" ") : JSON.stringify(data);
      console.log(`${from} ${record.type} ${record.name} ${text}`);
    }
  });
  const ask = (): void =>
    dns.query(
      { questions: [{ name, type: type as "PTR" }] },
      address === undefined ? undefined : { port: 5353, address },
    );
  // Twice: nobody says again what all have heard within the last second (RFC 6762 section 6).
  const askTwice = (): void => {
    ask();
    setTimeout(ask, 1_200);
  };
  if (address === undefined) dns.on("ready", askTwice);
  else socket.bind(0, ask);
} else if (what === "listen") {
  // `listen`: what is said to all, and how long it counts.
  const dns = multicastDns({ interface: own?.address, bind: "0.0.0.0" });
  dns.on("ready", () => console.log("listening"));
  dns.on("response", ({ answers = [] }, { address: from }: { address: string }) => {
    for (const record of answers) {
      if (record.type !== "OPT") console.log(`${from} ${record.type} ${record.name} for ${record.ttl} s`);
    }
  });
} else {
  // `dhcp TYPE…`: a message of each of these types, from port 68, as a host without address sends it.
  const socket = createSocket({ type: "udp4", reuseAddr: true });
  socket.on("message", (packet, from) => {
    const at = packet.indexOf(Uint8Array.of(53, 1), 240);
    console.log(`${from.address} type ${packet[at + 2]} yiaddr ${packet.subarray(16, 20).join(".")}`);
  });
  socket.bind(68, "0.0.0.0", () => {
    socket.setBroadcast(true);
    for (const type of args.map(Number)) {
      const head = new Uint8Array(240);
      head.set([1, 1, 6, 0, 1, 2, 3, type, 0, 0, 0x80]); // answered to all
      head.set([2, 0, 0, 0, 0, type], 28);
      head.set([0x63, 0x82, 0x53, 0x63], 236);
      const wanted = [50, 4, 10, 77, 0, 120, 55, 4, 1, 3, 224, 84, 255];
      const packet = Uint8Array.of(...head, 53, 1, type, ...wanted, ...new Uint8Array(60));
      socket.send(packet, 67, "255.255.255.255");
    }
    console.log("asked");
  });
}
if (what !== "listen") setTimeout(() => process.exit(0), PATIENCE);
