// What is answered to a DHCPINFORM: XEP-0347 3.3.1, RFC 2131 3.4 and 4.3.5, by the packets and the table of options of the package dhcp.
import { isOnLink, type ChosenInterface } from "./announce-interface.ts";

/** The message types of RFC 2132 9.6 that are heard and said. There is no third one. */
const INFORM = 8;
const ACK = 5;

const DOMAIN_NAME = 15;
const MESSAGE_TYPE = 53;
const SERVER = 54;
const WANTED = 55;
/** D-3.3.1-2: 224 is for private use at a site, 84 is what the XEP would have registered. */
const XMPP_SERVER = [224, 84];

const COOKIE = 0x63825363;
const COOKIE_AT = 236;
const OPTIONS_AT = 240;
const LONGEST = 1_500;
const LONGEST_OPTION = 255;
// Some hosts drop what is shorter than a packet of BOOTP (RFC 1542 2.1).
const SHORTEST_SENT = 300;
const CLIENT_PORT = 68;

/** What is announced by DHCP. */
export interface InformAnswer {
  /** Where it is announced. */
  readonly on: ChosenInterface;
  /** The name of the XMPP server. */
  readonly server: string;
}

/** Where a packet came from. */
export interface InformSender {
  readonly address: string;
  readonly port: number;
}

/** A packet to send, or why there is none. */
export type InformOutcome =
  { readonly packet: Buffer; readonly address: string; readonly port: number } | { readonly dropped: string };

/**
 * Reads a packet and answers it if it is a DHCPINFORM of a host of the link that asks for the name of the XMPP server. No
 * address is ever given away: everything else that a DHCP server is asked stays without answer. Never throws.
 */
export type AnswerInform = (packet: Buffer, from: InformSender) => InformOutcome;

/** Loads the package and makes an {@link AnswerInform}. */
export async function informAnswers({ on, server }: InformAnswer): Promise<AnswerInform> {
  const [{ default: protocol }, { default: table }] = await Promise.all([
    import("dhcp/lib/protocol.js"),
    import("dhcp/lib/options.js"),
  ]);
  for (const code of XMPP_SERVER) table.addOption(code, { name: "XMPP Server", type: "ASCII", config: `xmpp${code}` });
  const localDomain = server.slice(server.indexOf(".") + 1);
  const said = new Map<number, string>([
    ...XMPP_SERVER.map((code) => [code, server] as const),
    ...(localDomain === server ? [] : [[DOMAIN_NAME, localDomain] as const]),
  ]);

  return (bytes, from) => {
    const readable = tidy(bytes);
    if (readable === undefined) return { dropped: "malformed" };
    let asked: ReturnType<typeof protocol.parse>;
    try {
      asked = protocol.parse(readable);
    } catch {
      return { dropped: "malformed" };
    }
    const { op, options, ciaddr, giaddr, xid, flags, chaddr } = asked;
    if (op !== 1 || options[MESSAGE_TYPE] !== INFORM) return { dropped: "not an INFORM" };
    // Another network's host, one that has no address yet, or one behind a relay.
    if (!isOnLink(on, ciaddr) || !isOnLink(on, from.address) || giaddr !== "0.0.0.0") {
      return { dropped: "not of this network" };
    }
    const wanted: readonly unknown[] = Array.isArray(options[WANTED]) ? options[WANTED] : [];
    // Whoever wants something else is told so by the network's own server, if it has one.
    if (!XMPP_SERVER.some((code) => wanted.includes(code))) return { dropped: "asks for something else" };
    const answer = protocol.format({
      ...{ op: 2, htype: 1, hlen: 6, hops: 0, xid, secs: 0, flags, ciaddr, chaddr, sname: "", file: "" },
      ...{ yiaddr: "0.0.0.0", siaddr: "0.0.0.0", giaddr: "0.0.0.0" }, // RFC 2131 4.3.5: no address, and no lease
      options: {
        [MESSAGE_TYPE]: ACK,
        [SERVER]: on.address,
        ...Object.fromEntries([...said].filter(([code]) => wanted.includes(code))),
      },
    });
    return {
      packet: answer._data.subarray(0, Math.max(SHORTEST_SENT, answer._w)),
      // RFC 2131 4.3.5, to the host itself. Like dnsmasq to the port it asked from: one that has no right to port 68 may ask too.
      address: ciaddr,
      port: from.address === ciaddr && from.port !== 0 ? from.port : CLIENT_PORT,
    };
  };
}

/**
 * The packet with the two options that matter, in the form that the package reads right: it takes padding for twice its
 * length, pieces of an option (RFC 3396) for several, and prints whatever it does not know. `undefined` if it is none.
 */
function tidy(packet: Buffer): Buffer | undefined {
  if (packet.length < OPTIONS_AT || packet.length > LONGEST || packet.readUInt32BE(COOKIE_AT) !== COOKIE)
    return undefined;
  const type: number[] = [];
  const wanted: number[] = [];
  for (let at = OPTIONS_AT; at < packet.length;) {
    const code = packet[at++];
    if (code === 0) continue;
    if (code === undefined || code === 255) break;
    const length = packet[at++];
    if (length === undefined || at + length > packet.length) return undefined;
    const value = packet.subarray(at, at + length);
    if (code === MESSAGE_TYPE) type.push(...value);
    else if (code === WANTED) wanted.push(...value);
    at += length;
  }
  if (type.length !== 1 || wanted.length > LONGEST_OPTION) return undefined;
  const head = packet.subarray(0, OPTIONS_AT);
  return Buffer.from([...head, MESSAGE_TYPE, 1, ...type, WANTED, wanted.length, ...wanted, 255]);
}
