// Run inside a host of a test's network: answers the first DHCPINFORM that it hears with hostile packets, as many of multicast
// DNS besides. Arguments: how many in all, the seed.
import { createSocket } from "node:dgram";
import { Dice } from "../support/hostile/dice.ts";
import { recordedDhcp } from "../support/hostile-packets/dhcp-subject.ts";
import { recordedDns } from "../support/hostile-packets/dns-subject.ts";
import { mutatePacket } from "../support/hostile-packets/mutate.ts";

const [count = "0", seed = ""] = process.argv.slice(2);
const GROUP = "224.0.0.251";
const recorded = { dhcp: recordedDhcp(), dns: recordedDns() };
const dhcp = createSocket({ type: "udp4", reuseAddr: true });
const dns = createSocket({ type: "udp4", reuseAddr: true });
dns.bind(5353, "0.0.0.0");
dhcp.once("message", (question, { address, port }) => {
  void (async () => {
    for (let index = 0; index < Number(count); index++) {
      const kind = index % 2 === 0 ? "dhcp" : "dns";
      const packet = mutatePacket(kind, recorded[kind], new Dice(seed, index)).slice(0, 1_400);
      if (kind === "dhcp") {
        // It has heard the question: number and card are right.
        if (packet.length >= 34) {
          packet.set(question.subarray(4, 8), 4);
          packet.set(question.subarray(28, 34), 28);
        }
        dhcp.send(packet, port, address);
      } else dns.send(packet, 5353, GROUP);
      if (index % 20 === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    }
    console.log("said all");
  })();
});
dhcp.bind(67, "0.0.0.0", () => console.log("listening"));
