// Answers those who ask the network for its XMPP server by DHCPINFORM: XEP-0347 3.3.1. It never gives an address away.
import { createSocket } from "node:dgram";
import { ConnectionError, messageOf } from "../core/errors.ts";
import type { Logger } from "../core/logger.ts";
import { informAnswers, type InformAnswer } from "./announce-inform.ts";

/** What has become of the packets of DHCP that came in. */
export interface DhcpCounts {
  /** How many were answered. */
  readonly answered: number;
  /** How many were not, by the reason: `malformed`, `not an INFORM`, `not of this network`, `asks for something else`. */
  readonly dropped: ReadonlyMap<string, number>;
}

/** What a {@link DhcpResponder} is made of. */
export interface DhcpResponderOptions extends InformAnswer {
  /** Where it listens. Default 67, for which one has to be root. */
  readonly port?: number | undefined;
  /** Where oddities are told. */
  readonly logger: Logger;
}

/** A DHCP server that knows one thing: the name of the XMPP server. */
export interface DhcpResponder {
  /** The port it listens on. */
  readonly port: number;
  /** What has become of the packets so far. */
  readonly counts: DhcpCounts;
  /** Listens no more. */
  stop(): Promise<void>;
}

/**
 * Begins to answer. Rejects with `ERR_CONNECTION` if the port cannot be had: for want of rights, or since this machine has
 * a DHCP server, whose packets are not to be taken from it.
 */
export async function startDhcpResponder(options: DhcpResponderOptions): Promise<DhcpResponder> {
  const { port = 67, logger } = options;
  const answer = await informAnswers(options);
  // Not shared with anybody (`reuseAddr`): of two programs on one port only one hears a renewal of a lease.
  const socket = createSocket({ type: "udp4", reuseAddr: false });
  let answered = 0;
  const dropped = new Map<string, number>();
  socket.on("message", (packet, from) => {
    const outcome = answer(packet, from);
    if ("dropped" in outcome) {
      dropped.set(outcome.dropped, (dropped.get(outcome.dropped) ?? 0) + 1);
      return;
    }
    answered++;
    socket.send([outcome.packet], outcome.port, outcome.address, (error) => {
      if (error) logger.warn("DHCP: not sent", { why: messageOf(error) });
    });
  });
  await new Promise<void>((resolve, reject) => {
    socket.once("error", (error: NodeJS.ErrnoException) => {
      socket.close();
      reject(new ConnectionError(`DHCP on UDP port ${port}: ${whyNotDhcp(error)}`, { cause: error }));
    });
    // What is sent to all reaches only sockets that are bound to no address.
    socket.bind(port, "0.0.0.0", () => {
      socket.removeAllListeners("error");
      socket.on("error", (error) => logger.warn("DHCP: the socket failed", { why: error.message }));
      resolve();
    });
  });
  let stopping: Promise<void> | undefined;
  return {
    port: socket.address().port,
    get counts() {
      return { answered, dropped: new Map(dropped) };
    },
    stop: () => (stopping ??= new Promise((resolve) => socket.close(() => resolve()))),
  };
}

/** What to do about a port that cannot be had. */
export function whyNotDhcp(error: NodeJS.ErrnoException): string {
  if (error.code === "EACCES")
    return "only root may listen there. Without DHCP, Things still find the server by multicast DNS";
  if (error.code === "EADDRINUSE")
    return "this machine has a DHCP server. Let that one say option 224 (docs/sandbox.md)";
  return messageOf(error);
}
