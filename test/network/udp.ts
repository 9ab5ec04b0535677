// Run inside a host of a test's network: sends UDP packets and tells what comes back, in hexadecimal digits. The one
// argument is JSON: { port, bind, to, toPort, packets, wait, group }.
import { createSocket } from "node:dgram";

interface Job {
  /** The port to send from, 0 for any. */
  readonly port: number;
  /** The address to send from. */
  readonly bind: string;
  readonly to: string;
  readonly toPort: number;
  readonly packets: readonly string[];
  /** A group to join. */
  readonly group?: string;
  /** How long to listen after each, in milliseconds. */
  readonly wait: number;
}

const { port, bind, to, toPort, packets, wait, group } = JSON.parse(process.argv[2] ?? "{}") as Job;
const socket = createSocket({ type: "udp4", reuseAddr: true });
socket.on("message", (message, { address }) => console.log(`${address} ${message.toString("hex")}`));
socket.bind({ port, address: bind }, () => {
  socket.setBroadcast(true);
  if (group !== undefined) socket.addMembership(group);
  void (async () => {
    for (const packet of packets) {
      socket.send(new Uint8Array(Buffer.from(packet, "hex")), toPort, to);
      await new Promise((resolve) => setTimeout(resolve, wait));
    }
    socket.close();
  })();
});
