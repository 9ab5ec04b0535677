// What servers really send: a whole life of a Thing and of those around it, lived once on the embedded server over TCP
// and TLS, and kept as plain text. What differs from run to run is taken out, so that a seed means the same each time.
import { createHash } from "node:crypto";
import XmppConnection from "@xmpp/tcp/lib/Connection.js";
import TlsSocket from "@xmpp/tls/lib/Socket.js";
import { StanzaError } from "../../../src/core/errors.ts";
import { XmlFramer } from "../../../src/connection/xml-framer.ts";
import { OwnerClient } from "../../../src/owner/owner-client.ts";
import { memoryStorage } from "../../../src/storage/memory-storage.ts";
import { startSandboxSite } from "../site.ts";

/** What was recorded. JIDs stand as `{self}`, `{full}`, `{registry}`, `{server}`, `{owner}`, `{reader}`, `{stranger}`. */
export interface Corpus {
  /** Stanzas, each once. The id of an IQ stands as `{id}`. */
  readonly stanzas: readonly string[];
  /** What stands in a stream beside stanzas: headers, features, login. */
  readonly frames: readonly string[];
  /** Tells recordings apart. */
  readonly digest: string;
}

const unlimited = { maxBytes: 1e9, maxDepth: 1e6, maxAttributes: 1e6, maxElements: 1e6, maxName: 1e6 };

/** Records. Takes a second or two. */
export async function record(): Promise<Corpus> {
  const taps: Uint8Array[][] = [];
  const untap = tap(() => {
    const chunks: Uint8Array[] = [];
    taps.push(chunks);
    return (chunk) => void chunks.push(new Uint8Array(chunk));
  });
  const roles: [string, string][] = [];
  try {
    await live(roles);
  } finally {
    untap();
  }
  roles.sort(([a], [b]) => b.length - a.length);
  const neutral = (text: string): string => {
    let result = text;
    for (const [jid, role] of roles) result = result.replaceAll(jid, role);
    return result
      .replace(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, "2026-01-01T00:00:00Z")
      .replace(/(<(?:iq|message|presence|stream:stream)\b[^>]*?\sid=)("[^"]*"|'[^']*')/g, "$1'{id}'")
      .replace(/[\w-]{27}(?=["'<])/g, "K".repeat(27))
      .replace(/(<a [^>]*h=)("[^"]*"|'[^']*')/g, "$1'1'")
      .replace(/(seqnr=)("[^"]*"|'[^']*')/g, "$1'1'")
      .replace(/(<challenge[^>]*>)[^<]*/g, "$1{challenge}")
      .replace(/(<success[^>]*>)[^<]*/g, "$1{success}");
  };
  const all = new Set(taps.flatMap((chunks) => cut(Buffer.concat(chunks).toString())).map(neutral));
  const isStanza = (text: string): boolean => /^<(iq|message|presence)\b/.test(text);
  const stanzas = [...all].filter(isStanza).sort();
  const frames = [...all].filter((text) => !isStanza(text)).sort();
  const digest = createHash("sha256")
    .update(JSON.stringify([stanzas, frames]))
    .digest("hex")
    .slice(0, 8);
  return { stanzas, frames, digest };
}

/** One thing after another, so that the recording is the same each time. */
async function live(roles: [string, string][]): Promise<void> {
  const site = await startSandboxSite();
  const thing = site.thing(memoryStorage());
  const people = await Promise.all(["owner", "reader", "stranger"].map((name) => site.user(name)));
  try {
    const [owner, reader, stranger] = people.map((connection) => new OwnerClient(connection)) as [
      OwnerClient,
      OwnerClient,
      OwnerClient,
    ];
    await thing.start();
    await thing.waitFor("registered", { timeout: 10_000 });
    roles.push([site.registry.jid, "{registry}"], [site.provisioning.jid, "{server}"]);
    for (const { jid } of people) roles.push([jid.full, `{${jid.local}}/1`], [jid.bare, `{${jid.local}}`]);
    roles.push([thing.jid, "{full}"], [thing.jid.split("/")[0] as string, "{self}"]);
    const self = thing.jid.split("/")[0] as string;
    const refused = (error: unknown): void => {
      if (!(error instanceof StanzaError)) throw error as Error;
    };
    const wrong = thing.claimText.replace(/KEY:.*/, `KEY:${"x".repeat(27)}`);
    await stranger.claim(wrong).catch(refused);
    await owner.claim(thing.claimText);
    await thing.waitFor("provisioned", { timeout: 10_000 });
    await until(() => thing.state.ownership.is === "claimed" && thing.state.ownership.keyEmptied);
    await until(() => people[0]?.friends.has(thing.jid.split("/")[0] as never)?.from === true);
    await stranger.befriend(self, { timeout: 10_000 }).catch(() => undefined);
    await stranger.read(thing.jid, { timeout: 10_000 }).catch(refused);
    const rule = async (read: boolean | { fields: string[] }): Promise<void> => {
      site.provisioning.setRules([{ jid: people[1]?.jid.bare as never, friend: true, read }]);
      await until(() => site.provisioning.unacknowledged.length === 0);
    };
    await rule({ fields: ["Temperature"] });
    await reader.befriend(self, { timeout: 10_000 });
    await reader.read(thing.jid, { timeout: 10_000 });
    await rule(true);
    await reader.read(thing.jid, { timeout: 10_000 });
    await rule(false);
    await reader.read(thing.jid, { timeout: 10_000 }).catch(refused);
    await new Promise((resolve) => setTimeout(resolve, 50)); // what is still under way
  } finally {
    await thing.stop();
    await Promise.all(people.map((one) => one.close()));
    await site.stop();
  }
}

async function until(so: () => boolean): Promise<void> {
  for (let waited = 0; !so(); waited += 5) {
    if (waited > 10_000) throw new Error(`the recording came to a halt: ${so.toString()}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** A connection's bytes as whole elements; it holds one stream after another. */
function cut(text: string): string[] {
  return text.split(/(?=<\?xml)/).flatMap((stream) => {
    const framer = new XmlFramer(unlimited, () => undefined);
    return [...framer.push(stream)];
  });
}

interface Insides {
  Socket: new () => NodeJS.EventEmitter;
}

interface TlsInsides extends NodeJS.EventEmitter {
  connect: (this: TlsInsides, options: unknown) => void;
}

/** Listens to all connections that are made from now on, in the clear and under TLS. */
function tap(make: () => (chunk: Buffer) => void): () => void {
  const plain = XmppConnection.prototype as unknown as Insides;
  const { Socket } = plain;
  const tls = TlsSocket.prototype as unknown as TlsInsides;
  const { connect } = tls;
  plain.Socket = class extends Socket {
    constructor() {
      super();
      this.on("data", make());
    }
  };
  tls.connect = function (options) {
    this.on("data", make());
    connect.call(this, options);
  };
  return () => {
    plain.Socket = Socket;
    tls.connect = connect;
  };
}
