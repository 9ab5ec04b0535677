// The network under the responder: multicast DNS over IPv4, on one interface, by the package multicast-dns.
import type { MulticastDNS } from "multicast-dns";
import { ConnectionError, messageOf } from "../core/errors.ts";
import type { Logger } from "../core/logger.ts";
import { isOnLink, type ChosenInterface } from "./announce-interface.ts";
import type { HeardPacket, MdnsWire, Sender } from "./announce-mdns.ts";
import type { OwnRecord } from "./announce-records.ts";

// What multicast-dns takes: its types are those of a package that is not ours to import.
type Answer = NonNullable<Exclude<Parameters<MulticastDNS["respond"]>[0], readonly unknown[]>["answers"]>[number];
type RecordType = Answer["type"];

/** How an {@link MdnsWire} is opened. */
export interface MdnsWireOptions {
  /** Where it is to listen and to speak, and nowhere else. */
  readonly on: ChosenInterface;
  /** The port of multicast DNS. Default 5353. */
  readonly port?: number | undefined;
  /** Where oddities are told. */
  readonly logger: Logger;
}

/** Opens the network. Rejects with `ERR_CONNECTION` if the port or the interface cannot be had. */
export async function openMdnsWire({ on, port = 5353, logger }: MdnsWireOptions): Promise<MdnsWire> {
  const { default: multicastDns } = await import("multicast-dns");
  // Bound to the address of the interface it would hear nothing that is sent to all.
  const socket = multicastDns({ port, interface: on.address, bind: "0.0.0.0" });
  const wire: MdnsWire = {
    port,
    onPacket: () => undefined,
    send: (packet, to) =>
      new Promise((resolve) => {
        const sent = (error?: Error | null): void => {
          if (error) logger.warn("multicast DNS: not sent", { why: messageOf(error) });
          resolve();
        };
        const { type, questions = [], answers = [], authorities = [], additionals = [], id = 0 } = packet;
        const records = {
          id,
          questions: questions.map(({ name, type: wanted }) => ({ name, type: wanted as RecordType })),
          answers: answers.map(forWire),
          authorities: authorities.map(forWire),
          additionals: additionals.map(forWire),
        };
        if (type === "query") socket.query(records, to, sent);
        else socket.respond(records, to, sent);
      }),
    close: () => new Promise((resolve) => socket.destroy(resolve)),
  };
  // Garbage is a warning to multicast-dns, and so is that it will never hear anything here.
  let deaf: Error | undefined;
  socket.on("warning", (error: NodeJS.ErrnoException) => {
    if (error.syscall === "addMembership") deaf = error;
    logger.debug("multicast DNS", { why: messageOf(error) });
  });
  await new Promise<void>((resolve, reject) => {
    const fail = (error: Error): void => {
      const why = `multicast DNS on ${on.name} (${on.address}), UDP port ${port}: ${messageOf(error)}`;
      void wire.close();
      reject(new ConnectionError(why, { cause: error }));
    };
    // Without a listener an `error` would end the process.
    socket.on("error", fail);
    socket.once("ready", () => {
      if (deaf === undefined) resolve();
      else fail(deaf);
    });
  });
  // The kernel hands over what any program here listens to, on any interface; another network is none of ours (RFC 6762 11).
  socket.on("packet", (packet: HeardPacket, from: Sender) => {
    if (isOnLink(on, from.address)) wire.onPacket(packet, from);
  });
  return wire;
}

/** A copy: the encoder writes into what it is given. */
function forWire(record: OwnRecord): Answer {
  if (record.type === "TXT") return { ...record, data: record.data.map((text) => Buffer.from(text)) };
  if (record.type === "NSEC") return { ...record, data: { ...record.data, rrtypes: [...record.data.rrtypes] } };
  return record;
}
