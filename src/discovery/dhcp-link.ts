// A socket for DHCP on one address of the machine.
import { createSocket } from "node:dgram";
import { networkInterfaces } from "node:os";
import { messageOf } from "../core/errors.ts";
import { codeOf } from "../storage/file-system.ts";

/** One IPv4 address of one interface. */
export interface Place {
  /** The name of the interface. */
  readonly name: string;
  /** The address. */
  readonly address: string;
  /** The address of the network card. */
  readonly hardware: string;
}

// More than any device has; a machine full of containers need not ask on each.
const MOST_PLACES = 16;

/**
 * The addresses to ask from: those of the interfaces that are named, or of all but the loopback. An interface that is
 * down has none.
 */
export function placesOf(all: ReturnType<typeof networkInterfaces>, names: readonly string[] | undefined): Place[] {
  return Object.entries(all)
    .flatMap(([name, addresses = []]) => addresses.map((one) => ({ ...one, name })))
    .filter(({ family, internal, name }) => family === "IPv4" && (names?.includes(name) ?? !internal))
    .map(({ name, address, mac }) => ({ name, address, hardware: mac }))
    .slice(0, MOST_PLACES);
}

/** A socket that is open. */
export interface Link {
  /** Sends a packet; resolves with the reason, in words, if that is not possible. Never rejects. */
  send(packet: Uint8Array, port: number, address: string): Promise<string | undefined>;
  /** Closes the socket. */
  close(): void;
}

/**
 * Opens a socket. Bound to the address of one interface, its broadcasts go out there, also where no route says so.
 * Resolves with the reason, in words, if it cannot be opened.
 *
 * @param port 0 for any
 */
export function openLink(
  { address }: Place,
  port: number,
  onPacket: (packet: Uint8Array, from: string) => void,
): Promise<Link | string> {
  return new Promise((resolve) => {
    // The system's own client may hold port 68 in the same way.
    const socket = createSocket({ type: "udp4", reuseAddr: port !== 0 });
    let closed = false;
    const close = (): void => {
      if (!closed) socket.close();
      closed = true;
    };
    // Stays: an error without a listener would end the process.
    socket.on("error", (error) => {
      close();
      resolve(whyNot(error));
    });
    socket.on("message", ({ buffer, byteOffset, length }, { address: from }) =>
      onPacket(new Uint8Array(buffer, byteOffset, length), from),
    );
    const send: Link["send"] = (packet, to, host) =>
      new Promise((sent) => {
        if (closed) return sent("the socket is closed");
        socket.send(packet, to, host, (error) => sent(error ? whyNot(error) : undefined));
      });
    socket.bind({ port, address, exclusive: true }, () => {
      socket.setBroadcast(true);
      resolve({ send, close });
    });
  });
}

const words = new Map([
  ["EACCES", "only root may use UDP port 68 (EACCES)"],
  ["EADDRINUSE", "another program holds UDP port 68 (EADDRINUSE)"],
  ["EADDRNOTAVAIL", "the address is gone (EADDRNOTAVAIL)"],
  ["ENETUNREACH", "no route leads there (ENETUNREACH)"],
  ["EHOSTUNREACH", "no route leads there (EHOSTUNREACH)"],
  ["ENETDOWN", "the interface is down (ENETDOWN)"],
  ["ENODEV", "the interface is gone (ENODEV)"],
  ["EPERM", "a firewall of this machine forbids it (EPERM)"],
]);

/** What the system's refusal means. */
export function whyNot(error: unknown): string {
  return words.get(codeOf(error) ?? "") ?? messageOf(error);
}
