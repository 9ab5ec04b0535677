// One hostile stream: what is said in it, and what must not have come of it.
import type { Corpus } from "./corpus.ts";
import { DOMAIN, FULL, IMPOSTORS, OWNER, READER, REGISTRY, SELF, SERVER, nearMisses } from "./cast.ts";
import type { Dice } from "./dice.ts";
import { mayGrant, wrongWith } from "./judge.ts";
import { cut, damage, mutateMildly, mutateWildly } from "./mutate.ts";
import { MANAGEMENT, type Subject } from "./subject.ts";

/**
 * `wild`: nobody lawful speaks, and all mutations are allowed. `forged`: in the name of lawful parties, but not in their
 * own matters, and by those who look like them. `lawful`: the right parties, mutated: judged for survival alone.
 */
export type Kind = "wild" | "forged" | "lawful";

/** What was fed, for a report. */
export type Fed = (Uint8Array | string)[];

const PROVISIONING = "urn:xmpp:iot:provisioning";
const DISCOVERY = "urn:xmpp:iot:discovery";
const REQ = "<req xmlns='urn:xmpp:iot:sensordata' seqnr='7' all='true'/>";

interface Command {
  readonly payload: string;
  /** Who may give it. */
  readonly lawful: readonly string[];
  readonly types: readonly string[];
}

const roster = (jid: string, subscription: string): string =>
  `<query xmlns='jabber:iq:roster'><item jid='${jid}' subscription='${subscription}'/></query>`;

const commands: readonly Command[] = [
  {
    payload: `<claimed xmlns='${DISCOVERY}' jid='mallory@example.net'/>`,
    lawful: [REGISTRY],
    types: ["set", "set", "get"],
  },
  { payload: `<claimed xmlns='${DISCOVERY}' node='n' jid='mallory@example.net'/>`, lawful: [REGISTRY], types: ["set"] },
  { payload: `<removed xmlns='${DISCOVERY}'/>`, lawful: [REGISTRY], types: ["set"] },
  { payload: `<disowned xmlns='${DISCOVERY}'/>`, lawful: [REGISTRY], types: ["set"] },
  { payload: `<clearCache xmlns='${PROVISIONING}'/>`, lawful: [SERVER], types: ["set", "set", "get"] },
  { payload: `<tokenChallenge xmlns='${PROVISIONING}' token='t'>AAAA</tokenChallenge>`, lawful: [], types: ["get"] },
  { payload: roster("mallory@example.net", "both"), lawful: [SELF, FULL, ""], types: ["set", "set", "result"] },
  { payload: roster(READER, "remove"), lawful: [SELF, FULL, ""], types: ["set"] },
  { payload: REQ, lawful: [READER], types: ["get"] },
  { payload: "<req xmlns='urn:xmpp:iot:sensordata' seqnr='1' momentary='true'/>", lawful: [READER], types: ["get"] },
  { payload: "<set xmlns='urn:xmpp:iot:control'><boolean name='LED' value='true'/></set>", lawful: [], types: ["set"] },
  { payload: "<getForm xmlns='urn:xmpp:iot:control'/>", lawful: [], types: ["get"] },
  { payload: "<query xmlns='http://jabber.org/protocol/disco#info'/>", lawful: [], types: ["get"] },
  { payload: "<ping xmlns='urn:xmpp:ping'/>", lawful: [SELF, FULL, DOMAIN, ""], types: ["get"] },
  { payload: "<query xmlns='jabber:iq:register'><remove/></query>", lawful: [], types: ["set"] },
];

const tellings = [
  `<unfriend xmlns='${PROVISIONING}' jid='${READER}'/>`,
  `<friend xmlns='${PROVISIONING}' jid='mallory@example.net'/>`,
  "<fields xmlns='urn:xmpp:iot:sensordata' seqnr='1' done='true'/>",
  "<body>hello</body>",
];

const answers = [
  `<canReadResponse xmlns='${PROVISIONING}' jid='mallory@example.net' result='true' all='true'/>`,
  `<isFriendResponse xmlns='${PROVISIONING}' jid='mallory@example.net' result='true'/>`,
  `<claimed xmlns='${DISCOVERY}' jid='mallory@example.net'/>`,
  roster("mallory@example.net", "both"),
  "<error type='cancel'><item-not-found xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>",
  "",
];

const counts = [
  "r",
  "a h='0'",
  "a h='1'",
  "a h='7'",
  "a h='4294967295'",
  "a h='4294967296'",
  "a h='-1'",
  "a",
  "enabled",
  "failed",
  "resumed",
];

const presences = ["subscribe", "subscribed", "unsubscribe", "unsubscribed", "unavailable", "probe", "error", ""];

const from = (jid: string): string => (jid === "" ? "" : ` from='${jid}'`);

/** Plays one stream on a Thing that is offline, and leaves it offline. Returns what is wrong, if anything. */
export async function play(
  subject: Subject,
  kind: Kind,
  corpus: Corpus,
  dice: Dice,
  fed: Fed,
): Promise<string | undefined> {
  const before = subject.standing;
  await subject.connect();
  // Mostly a stream begins as it should: only then do remembered rights count.
  if (dice.chance(0.8)) {
    await subject.answer("query", roster(READER, "from"));
    if (dice.chance(0.9)) await subject.answer("ping", "");
  }
  for (let moves = 1 + dice.below(5); moves > 0 && !subject.isCut; moves--) {
    const bytes = compose(subject, kind, corpus, dice);
    const chunks = cut(bytes, dice);
    fed.push(...chunks);
    await subject.feed(chunks);
    if (dice.chance(0.02)) await subject.clock.advance(dice.pick([500, 2_500, 10_000]));
  }
  await subject.cut();
  return judged(subject, kind, before);
}

function judged(subject: Subject, kind: Kind, before: string): string | undefined {
  if (subject.trouble.length > 0) return subject.trouble.splice(0).join("; ");
  if (kind === "lawful") return undefined;
  for (const stanza of subject.sent) {
    const wrong = wrongWith(stanza);
    if (wrong !== undefined) return wrong;
  }
  const granted = subject.granted.find((decision) => !mayGrant(decision));
  if (granted !== undefined) return `the Thing granted: ${granted}`;
  const after = subject.standing;
  return after === before ? undefined : `changed from ${before} to ${after}`;
}

/** The next bytes. */
function compose(subject: Subject, kind: Kind, corpus: Corpus, dice: Dice): Uint8Array {
  if (kind === "forged") return new Uint8Array(Buffer.from(mutateMildly(forged(subject, dice), dice)));
  const others = (): string => recorded(subject, kind, corpus, dice);
  if (dice.chance(0.05)) return new Uint8Array(Buffer.from(`<${dice.pick(counts)} xmlns='${MANAGEMENT}'/>`));
  let text = dice.chance(0.5) ? others() : invented(subject, kind, dice);
  if (dice.chance(0.03)) text = dice.pick(corpus.frames);
  const wildness = dice.fraction();
  if (wildness < 0.75) text = mutateWildly(text, dice, [others(), others()]);
  const bytes = new Uint8Array(Buffer.from(text));
  return wildness > 0.65 && wildness < 0.85 ? damage(bytes, dice) : bytes;
}

/** Who speaks: in wild streams never anybody lawful, nor anybody that a mutation could make lawful. */
function actor(kind: Kind, dice: Dice): string {
  if (kind === "wild") return dice.pick(IMPOSTORS);
  return dice.pick([REGISTRY, SERVER, OWNER, `${READER}/desk`, SELF, FULL, DOMAIN, dice.pick(IMPOSTORS)]);
}

/** Something recorded, its roles given to others. */
function recorded(subject: Subject, kind: Kind, corpus: Corpus, dice: Dice): string {
  const lawful: Readonly<Record<string, string>> = {
    registry: REGISTRY,
    server: SERVER,
    owner: OWNER,
    reader: READER,
    stranger: "mallory@example.net",
  };
  const id = anId(subject, dice);
  return dice.pick(corpus.stanzas).replace(/\{(\w+)\}/g, (_all, role: string) => {
    if (role === "id") return id;
    if (role === "full") return FULL;
    if (role === "self") return SELF;
    return (kind === "lawful" ? lawful[role] : undefined) ?? (actor(kind, dice).split("/")[0] as string);
  });
}

/** A stanza as an attacker writes it. */
function invented(subject: Subject, kind: Kind, dice: Dice): string {
  const who = actor(kind, dice);
  const address = `${from(who)} to='${dice.pick([FULL, SELF, who, ""])}'`;
  switch (dice.below(5)) {
    case 0:
    case 1: {
      const { payload, types } = dice.pick(commands);
      return `<iq type='${dice.pick(types)}' id='${anId(subject, dice)}'${address}>${anonymous(payload, kind)}</iq>`;
    }
    case 2:
      return `<iq type='${dice.pick(["result", "error"])}' id='${anId(subject, dice)}'${address}>${dice.pick(answers)}</iq>`;
    case 3:
      return `<message${address}>${anonymous(dice.pick(tellings), kind)}</message>`;
    default:
      return `<presence type='${dice.pick(presences)}'${address}/>`.replace(" type=''", "");
  }
}

const anonymous = (payload: string, kind: Kind): string =>
  kind === "wild" ? payload.replaceAll(READER, "reader@example.org") : payload;

/** The id of a question of the Thing's, or any. */
function anId(subject: Subject, dice: Dice): string {
  return subject.asked.length > 0 && dice.chance(0.7) ? dice.pick(subject.asked).id : `h${dice.below(1_000)}`;
}

/** In somebody's name who has a say, but not in this. */
function forged(subject: Subject, dice: Dice): string {
  const named = [REGISTRY, SERVER, OWNER, READER];
  const pool = (lawful: readonly string[]): string => {
    const near = dice.pick(named);
    const candidates = [
      ...named,
      `${OWNER}/x`,
      DOMAIN,
      `${SELF}/other`,
      dice.pick(IMPOSTORS),
      ...nearMisses(near),
    ].filter((jid) => !lawful.some((one) => jid === one || jid.startsWith(`${one}/`) || (jid === "" && one === "")));
    return dice.pick(candidates);
  };
  const { asked } = subject;
  if (asked.length > 0 && dice.chance(0.3)) {
    const { id, to } = dice.pick(asked);
    // To the own account the server answers in its name (RFC 6120 8.1.2.1). A component is no other for its resource,
    // except that a reply counts from exactly who was asked.
    const lawful = to === "" ? [SELF, FULL, DOMAIN, ""] : [to];
    const who = to !== "" && dice.chance(0.2) ? `${to}/x` : pool(lawful);
    return `<iq type='${dice.pick(["result", "result", "error"])}' id='${id}'${from(who)} to='${FULL}'>${dice.pick(answers)}</iq>`;
  }
  switch (dice.below(8)) {
    case 0: {
      // Friends without a question, and everybody else.
      const who = dice.pick([...named, DOMAIN, ...IMPOSTORS, ...nearMisses(dice.pick(named))]);
      return `<presence type='${dice.pick(presences)}'${from(who)} to='${SELF}'/>`.replace(" type=''", "");
    }
    case 1:
      return `<message${from(pool([SERVER]))} to='${FULL}'>${dice.pick(tellings)}</message>`;
    case 2:
      // What the reader may: the temperature is told, and nothing else.
      return `<iq type='get' id='h1' from='${READER}/desk' to='${FULL}'>${dice.pick([REQ, "<req xmlns='urn:xmpp:iot:sensordata' seqnr='1' momentary='true'/>"])}</iq>`;
    default: {
      const { payload, lawful, types } = dice.pick(commands);
      return `<iq type='${dice.pick(types)}' id='h${dice.below(99)}'${from(pool(lawful))} to='${FULL}'>${payload}</iq>`;
    }
  }
}
