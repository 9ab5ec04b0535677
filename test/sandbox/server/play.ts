// Plays a script of stanzas on any server, so that two servers can be compared by what their clients see.
import { parseXml, type XmlElement } from "../../../src/codec/xml.ts";
import { RawClient } from "./raw-client.ts";
import { brief } from "./world.ts";

/** What is compared: what a stanza says, not in which order its parts stand nor when it was said. */
function normal(stanza: XmlElement): string {
  const query = stanza.getChild("query", "jabber:iq:roster");
  if (query !== undefined) {
    const items = query.getChildElements().map(({ attrs, children }) => {
      const known = ["jid", "subscription", "ask", "name"].map((name) => `${name}=${attrs[name] ?? "-"}`);
      return [...known, ...children.map(String)].join(" ");
    });
    return [stanza.attrs["type"], ...items.sort()].join(" | ");
  }
  return brief(stanza).replace(/ delay\b/, "");
}

/** Where somebody has an account. */
export interface Home {
  readonly domain: string;
  readonly port: number;
  /** The authority behind its certificate. */
  readonly ca: string;
}

/** Plays a script: tells what everybody got after each step. */
export async function play<Name extends string>(
  cast: Readonly<Record<Name, Home>>,
  script: readonly (readonly [Name, string, string?])[],
): Promise<string[]> {
  const names = Object.keys(cast) as Name[];
  const clients = new Map<Name, RawClient>();
  try {
    for (const name of names) {
      const { domain, port, ca } = cast[name];
      const client = await RawClient.connect(port, domain);
      clients.set(name, client);
      await client.startTls(ca);
      await client.open();
      client.send(
        `<iq type='set' id='reg'><query xmlns='jabber:iq:register'><username>${name}</username><password>pw</password></query></iq>`,
      );
      await client.until(/<iq [^>]*\breg\b[^>]*>/);
      await client.bindAs(name, "pw", "r", "sha1");
    }
    const seen: string[] = [];
    for (const [who, stanza] of script) {
      clients.get(who)!.send(stanza);
      // The sender's answer comes behind all that its stanza did; then everybody else's behind what that brought.
      const order = [who, ...names.filter((name) => name !== who)].map((name) => clients.get(name)!);
      const came = new Map<RawClient, string>();
      for (const client of order) {
        if (client.closed) continue;
        client.send(`<iq type='get' id='sync' to='${client.domain}'><ping xmlns='urn:xmpp:ping'/></iq>`);
        const got = await client.upTo(/<iq [^>]*\bsync\b[^>]*>/);
        came.set(client, got);
      }
      const told = names.flatMap((name) => {
        const document = parseXml(`<all xmlns='jabber:client'>${came.get(clients.get(name)!) ?? ""}</all>`);
        return document.getChildElements().map((element) => `${name}: ${normal(element)}`);
      });
      seen.push([`${who} sends ${stanza}`, ...told.sort()].join("\n"));
    }
    return seen;
  } finally {
    for (const client of clients.values()) client.destroy();
  }
}
