// The same stanzas to Prosody and to the sandbox: where RFC 6120 and RFC 6121 leave no choice, clients see the same.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { makeCertificates } from "../../../src/sandbox/certificates.ts";
import { XmppListener } from "../../../src/sandbox/server/listener.ts";
import { noProsody, startProsody } from "../../support/prosody.ts";
import { play, type Home } from "./play.ts";
import { World } from "./world.ts";

const names = ["alice", "bob", "carol"] as const;
type Name = (typeof names)[number];
/** Who sends what, and why Prosody does something else then, where it does. */
type Step = readonly [Name, string, string?];

const to = (type: string, address: string): string => `<presence type='${type}' to='${address}@localhost'/>`;
const ask = (type: string, payload: string, address?: string): string =>
  `<iq type='${type}' id='i'${address === undefined ? "" : ` to='${address}'`}>${payload}</iq>`;
const roster = ask("get", "<query xmlns='jabber:iq:roster'/>");
const item = (content: string): string => ask("set", `<query xmlns='jabber:iq:roster'>${content}</query>`);
const info = "<query xmlns='http://jabber.org/protocol/disco#info'/>";
const ping = "<ping xmlns='urn:xmpp:ping'/>";
const unknown = "<x xmlns='urn:example'/>";
const message = (type: string, address: string): string =>
  `<message type='${type}' to='${address}'><body>b</body></message>`;

const script: readonly Step[] = [
  ["alice", ask("set", "<session xmlns='urn:ietf:params:xml:ns:xmpp-session'/>")],
  ["alice", roster],
  ["bob", roster],
  ["carol", roster],
  ["alice", "<presence/>"],
  ["bob", "<presence><priority>5</priority></presence>"],
  ["carol", "<presence><priority>-1</priority></presence>"],
  ["carol", roster],
  // RFC 6121 section 3
  ["alice", to("subscribe", "bob")],
  ["bob", roster],
  ["bob", to("subscribed", "alice")],
  ["bob", to("subscribe", "alice")],
  ["alice", to("unsubscribed", "bob")],
  ["bob", to("subscribe", "alice")],
  ["alice", to("subscribed", "bob"), "it probes the contact again"],
  ["carol", to("subscribe", "alice")],
  ["carol", to("subscribe", "alice"), "it pushes an item that has not changed"],
  ["carol", to("unsubscribe", "alice"), "it tells of the removal of one who was not in the roster"],
  ["alice", to("unsubscribed", "carol")],
  ["carol", to("subscribe", "alice")],
  ["alice", to("unsubscribed", "carol")],
  ["alice", to("subscribe", "alice"), "it answers with an error"],
  ["alice", roster],
  ["bob", roster],
  ["carol", roster],
  // section 4
  ["alice", "<presence><show>away</show></presence>"],
  ["alice", "<presence to='carol@localhost/r'/>"],
  ["alice", "<presence to='carol@localhost'><show>xa</show></presence>"],
  ["alice", "<presence to='nobody@localhost'/>"],
  ["alice", "<presence type='probe' to='bob@localhost'/>"],
  ["carol", "<presence type='probe' to='bob@localhost'/>"],
  ["alice", "<presence type='subscribe'/>"],
  ["alice", "<presence type='hello' to='bob@localhost'/>"],
  // section 8.5
  ...["normal", "chat", "headline", "groupchat", "error"].flatMap((type): Step[] =>
    [
      "bob@localhost",
      "bob@localhost/r",
      "carol@localhost",
      "carol@localhost/r",
      "nobody@localhost",
      "nobody@localhost/r",
    ].map((address): Step => ["alice", message(type, address)]),
  ),
  ["alice", message("chat", "bob@localhost/gone")],
  ["alice", message("groupchat", "bob@localhost/gone")],
  ["alice", message("error", "bob@localhost/gone")],
  ["alice", "<message><body>note</body></message>"],
  ["alice", "<message from='bob@localhost/r' to='carol@localhost/r'><body>forged</body></message>"],
  ...["get", "set"].flatMap((type): Step[] =>
    [
      "bob@localhost",
      "bob@localhost/r",
      "bob@localhost/gone",
      "nobody@localhost",
      "nobody@localhost/r",
      "localhost",
      "localhost/x",
    ].map((address): Step => ["alice", ask(type, unknown, address)]),
  ),
  ["alice", ask("set", unknown)],
  ["bob", "<iq type='result' id='i' to='alice@localhost/r'/>"],
  ["bob", "<iq type='result' id='i' to='alice@localhost'/>"],
  ["bob", "<iq type='result' id='i' to='alice@localhost/gone'/>"],
  // RFC 6120 section 8.2.3
  ["alice", "<iq type='get' id='i'/>"],
  ["alice", ask("get", ping + ping)],
  ["alice", ask("hello", ping, "bob@localhost/r")],
  ["alice", `<iq type='get' to='bob@localhost/r'>${ping}</iq>`],
  // XEP-0030, XEP-0199, XEP-0077
  ["bob", ask("get", info, "alice@localhost")],
  ["carol", ask("get", info, "alice@localhost")],
  ["carol", ask("get", info.replace("/>", " node='x'/>"), "localhost")],
  ["alice", ask("get", ping)],
  ["alice", ask("get", ping, "localhost")],
  ["carol", ask("get", "<query xmlns='jabber:iq:register'/>")],
  ["carol", ask("set", "<query xmlns='jabber:iq:register'><username>carol</username><password>new</password></query>")],
  // RFC 6121 section 2
  ["carol", item("")],
  ["carol", item("<item jid='dave@localhost'/><item jid='erin@localhost'/>")],
  ["carol", item("<item jid='carol@localhost'/>")],
  ["carol", item("<item jid='dave@localhost/r'/>")],
  ["carol", item("<item jid='dave@localhost' name='D' subscription='both'><group>g</group></item>")],
  ["carol", roster],
  ["carol", item("<item jid='dave@localhost' subscription='remove'/>")],
  ["carol", roster],
  // ends
  ["alice", to("unsubscribe", "bob"), "it sends no unavailable presence (RFC 6121 3.3.3)"],
  ["alice", roster],
  ["bob", "<presence type='unavailable'/>"],
  ["alice", "<presence type='unavailable'/>"],
  ["alice", "<presence/>"],
  ["carol", ask("set", "<query xmlns='jabber:iq:register'><remove/></query>")],
];

describe.skipIf(noProsody !== undefined)("clients of the sandbox see what clients of Prosody see", () => {
  let prosody: string[];
  let sandbox: string[];
  const stops: (() => Promise<void>)[] = [];

  beforeAll(async () => {
    const server = (await startProsody())!;
    stops.push(() => server.stop());
    const world = new World();
    for (const name of names) world.domain.removeAccount(name);
    const certificates = await makeCertificates("localhost", world.clock);
    const listener = new XmppListener({ domain: world.domain, certificates, clock: world.clock });
    stops.push(() => listener.close());
    const all = (home: Home): Record<Name, Home> => ({ alice: home, bob: home, carol: home });
    prosody = await play(all(server), script);
    sandbox = await play(all({ domain: "localhost", port: await listener.listen(), ca: certificates.ca }), script);
  }, 30_000);

  afterAll(async () => {
    for (const stop of stops) await stop();
  });

  const compared = script.map(([who, stanza, unlike], index) => ({ who, stanza, unlike, index }));
  it.each(compared.filter(({ unlike }) => unlike === undefined))("$who sends $stanza", ({ index }) => {
    expect(sandbox[index]).toBe(prosody[index]);
  });
});
