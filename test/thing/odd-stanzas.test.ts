// Stanzas that are well-formed and mean something other than they seem to: names, namespaces and addresses, each brought to
// a whole Thing on plain bytes.
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { FULL, OWNER, READER, REGISTRY, SELF, SERVER } from "../support/hostile/cast.ts";
import { withoutNetwork } from "../support/hostile/memory-socket.ts";
import { Subject } from "../support/hostile/subject.ts";

let restore: () => void;
let subject: Subject;
let before: string;
beforeEach(async () => {
  restore = withoutNetwork();
  subject = await Subject.make("odd", true);
  await subject.connect();
  await subject.answer("query", "<query xmlns='jabber:iq:roster'/>");
  await subject.answer("ping", "");
  before = subject.standing;
});
afterEach(async () => {
  await subject.thing.stop();
  restore();
  expect(subject.trouble).toEqual([]);
});

const CLEAR = "<clearCache xmlns='urn:xmpp:iot:provisioning'/>";
const cleared = (): boolean => subject.thing.rights.count === 0;

/** The Thing still hears who may speak. */
async function stillHears(): Promise<void> {
  expect(subject.isCut).toBe(false);
  await subject.say(`<iq type='set' id='lawful' from='${SERVER}' to='${FULL}'>${CLEAR}</iq>`);
  expect(cleared()).toBe(true);
}

describe("a command in the name of the server is not obeyed", () => {
  it.each([
    [
      "in another namespace",
      `<iq type='set' id='1' from='${SERVER}'><clearCache xmlns='urn:xmpp:iot:provisionin'/></iq>`,
    ],
    ["in the stanza's namespace", `<iq type='set' id='1' from='${SERVER}'><clearCache/></iq>`],
    ["without a namespace", `<iq type='set' id='1' from='${SERVER}'><clearCache xmlns=''/></iq>`],
    [
      "under a prefix for something else",
      `<iq type='set' id='1' from='${SERVER}'><p:clearCache xmlns:p='urn:other' xmlns='urn:xmpp:iot:provisioning'/></iq>`,
    ],
    ["under a prefix that means nothing", `<iq type='set' id='1' from='${SERVER}'><p:clearCache/></iq>`],
    ["one level deeper", `<iq type='set' id='1' from='${SERVER}'><x xmlns='urn:x'>${CLEAR}</x></iq>`],
    ["beside another child", `<iq type='set' id='1' from='${SERVER}'>${CLEAR}<x xmlns='urn:x'/></iq>`],
    ["twice", `<iq type='set' id='1' from='${SERVER}'>${CLEAR}${CLEAR}</iq>`],
    ["as text", `<iq type='set' id='1' from='${SERVER}'><x xmlns='urn:x'><![CDATA[${CLEAR}]]></x></iq>`],
    ["in an error", `<iq type='error' id='1' from='${SERVER}'>${CLEAR}</iq>`],
    ["in a result", `<iq type='result' id='1' from='${SERVER}'>${CLEAR}</iq>`],
    ["in a message", `<message from='${SERVER}'>${CLEAR}</message>`],
    ["in an IQ without an id", `<iq type='set' from='${SERVER}'>${CLEAR}</iq>`],
    ["in an IQ of no type", `<iq id='1' from='${SERVER}'>${CLEAR}</iq>`],
    ["in an IQ of an unknown type", `<iq type='SET' id='1' from='${SERVER}'>${CLEAR}</iq>`],
    ["in an IQ of another protocol", `<iq xmlns='jabber:server' type='set' id='1' from='${SERVER}'>${CLEAR}</iq>`],
    [
      "in an IQ under a prefix of another protocol",
      `<q:iq xmlns:q='jabber:server' type='set' id='1' from='${SERVER}'>${CLEAR}</q:iq>`,
    ],
    [
      "with the sender in an attribute of another namespace",
      `<iq type='set' id='1' x:from='${SERVER}' xmlns:x='urn:x' from='mallory@example.net'>${CLEAR}</iq>`,
    ],
    [
      "with the sender inside",
      `<iq type='set' id='1' from='mallory@example.net'><clearCache xmlns='urn:xmpp:iot:provisioning' from='${SERVER}'/></iq>`,
    ],
    ["with a sender that only begins so", `<iq type='set' id='1' from='${SERVER}.example'>${CLEAR}</iq>`],
    ["with an account there as its sender", `<iq type='set' id='1' from='mallory@${SERVER}'>${CLEAR}</iq>`],
    ["with the server as the resource", `<iq type='set' id='1' from='mallory@example.net/${SERVER}'>${CLEAR}</iq>`],
  ])("%s", async (_what, stanza) => {
    await subject.say(stanza);
    expect(subject.standing).toBe(before);
    await stillHears();
  });
});

describe("a command of the server is obeyed", () => {
  it.each([
    [
      "under a prefix for its namespace",
      `<iq type='set' id='1' from='${SERVER}'><p:clearCache xmlns:p='urn:xmpp:iot:provisioning'/></iq>`,
    ],
    ["in other letters of its address", `<iq type='set' id='1' from='${SERVER.toUpperCase()}'>${CLEAR}</iq>`],
    ["with its address escaped", `<iq type='set' id='1' from='&#97;${SERVER.slice(1)}'>${CLEAR}</iq>`],
    [
      "with attributes that nobody knows",
      `<iq type='set' id='1' from='${SERVER}' x='y'><clearCache xmlns='urn:xmpp:iot:provisioning' z=''/></iq>`,
    ],
  ])("%s", async (_what, stanza) => {
    await subject.say(stanza);
    expect(cleared()).toBe(true);
  });
});

describe("an address that is none", () => {
  const none = [
    "",
    "@",
    "/",
    "@/",
    "a@",
    "@b",
    "a@/r",
    "a@b/",
    "/r",
    "a b@c",
    "a@b c",
    "a@@b",
    "a@b@c",
    ".",
    "a@b..c",
    "&#9;",
    "&#xFFFD;@/",
    "x".repeat(1_100),
    `${"é".repeat(600)}@b`,
  ];
  const places: readonly (readonly [string, (jid: string) => string])[] = [
    [
      "from of an iq",
      (jid) => `<iq type='get' id='1' from='${jid}'><req xmlns='urn:xmpp:iot:sensordata' seqnr='1' all='true'/></iq>`,
    ],
    ["to of an iq", (jid) => `<iq type='get' id='1' from='mallory@example.net' to='${jid}'><x xmlns='y'/></iq>`],
    ["from of a reply", (jid) => `<iq type='result' id='1' from='${jid}'/>`],
    [
      "from of a message",
      (jid) => `<message from='${jid}'><unfriend xmlns='urn:xmpp:iot:provisioning' jid='${READER}'/></message>`,
    ],
    ["from of presence", (jid) => `<presence type='subscribe' from='${jid}'/>`],
    ["to of presence", (jid) => `<presence from='mallory@example.net' to='${jid}'/>`],
    [
      "contact of a roster push",
      (jid) =>
        `<iq type='set' id='1' from='${SELF}'><query xmlns='jabber:iq:roster'><item jid='${jid}' subscription='both'/></query></iq>`,
    ],
    [
      "owner of a claim",
      (jid) => `<iq type='set' id='1' from='${REGISTRY}'><claimed xmlns='urn:xmpp:iot:discovery' jid='${jid}'/></iq>`,
    ],
    [
      "friend of a server's",
      (jid) => `<message from='${SERVER}'><friend xmlns='urn:xmpp:iot:provisioning' jid='${jid}'/></message>`,
    ],
    [
      "friend no more of a server's",
      (jid) => `<message from='${SERVER}'><unfriend xmlns='urn:xmpp:iot:provisioning' jid='${jid}'/></message>`,
    ],
  ];

  it.each(places)("as %s changes nothing, and ends nothing", async (_what, stanza) => {
    for (const jid of none) await subject.say(stanza(jid));
    expect(subject.standing).toBe(before);
    // Nobody was befriended, nor asked to be.
    expect(subject.sent.filter((sent) => sent.is("presence") && sent.attrs["type"] !== undefined)).toEqual([]);
    await stillHears();
  });

  it("in an answer that was due is no answer", async () => {
    await subject.say(
      `<iq type='get' id='1' from='mallory@example.net/x' to='${FULL}'><req xmlns='urn:xmpp:iot:sensordata' seqnr='1' all='true'/></iq>`,
    );
    const { id = "" } = subject.asked.find(({ what }) => what === "canRead") ?? {};
    expect(id).not.toBe("");
    const grant =
      "<canReadResponse xmlns='urn:xmpp:iot:provisioning' jid='mallory@example.net' result='true' all='true'/>";
    for (const jid of [...none, `${SERVER}/x`, OWNER, REGISTRY, "mallory@example.net/x"]) {
      await subject.say(`<iq type='result' id='${id}' from='${jid}'>${grant}</iq>`);
    }
    expect(subject.sent.filter((sent) => sent.is("message"))).toEqual([]);
    expect(subject.standing).toBe(before);
  });
});
