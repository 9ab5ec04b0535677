// What becomes of a stanza on its way through a hostile network or server.
import type { Dice } from "./dice.ts";

type Mutate = (text: string, dice: Dice, others: readonly string[]) => string;

const namespaces = [
  "jabber:client",
  "jabber:server",
  "jabber:iq:roster",
  "urn:xmpp:iot:provisioning",
  "urn:xmpp:iot:discovery",
  "urn:xmpp:iot:sensordata",
  "urn:xmpp:iot:control",
  "urn:xmpp:ping",
  "urn:ietf:params:xml:ns:xmpp-stanzas",
  "http://jabber.org/protocol/disco#info",
  "http://etherx.jabber.org/streams",
  "",
];

const values = [
  "",
  " ",
  "true",
  "false",
  "TRUE",
  "1",
  "0",
  "-1",
  "+1",
  "0x10",
  "1e308",
  "-0",
  "NaN",
  "Infinity",
  "2147483648",
  "99999999999999999999999999",
  "9".repeat(400),
  "get",
  "set",
  "result",
  "error",
  "subscribe",
  "subscribed",
  "unsubscribed",
  "remove",
  "both",
  "__proto__",
  "constructor",
  "toString",
  "'\"&lt;",
  "&#0;",
  "&#x1F;",
  "&#xD800;",
  "&#x110000;",
  "&#xFFFFFFFFFF;",
  "&bogus;",
  "&amp;",
  "&",
  "&#9;&#10;&#13;",
  "@",
  "/",
  "@/",
  "a@",
  "a@/b",
  "a@b/",
  "a b@c",
  "e\u0301".repeat(300),
  "\u202Egnirts",
  "\uFFFD",
  "\u{1F512}",
  "\u0000",
  "\uFFFF",
  "x".repeat(5_000),
];

const attribute = /\s([\w:.-]+)=("[^"]*"|'[^']*')/g;

/** The text with one attribute, by chance, made into something else. */
const oneAttribute = (text: string, dice: Dice, change: (name: string, value: string) => string): string => {
  const all = [...text.matchAll(attribute)];
  if (all.length === 0) return text;
  const { index, 0: whole, 1: name = "", 2: value = "" } = dice.pick(all);
  return text.slice(0, index) + change(name, value.slice(1, -1)) + text.slice(index + whole.length);
};

const wrapped = (name: string, value: string): string =>
  value.includes("'") ? ` ${name}="${value}"` : ` ${name}='${value}'`;

/** Behind the opening tag of the stanza. */
const inside = (text: string, what: string): string => text.replace(/^(<[^>]*[^/])>/, (tag) => tag + what);

const elements = /<([\w:]+)\b[^>]*?\/>/g;

const wild: readonly Mutate[] = [
  (text, dice) => oneAttribute(text, dice, (name) => wrapped(name, dice.pick(values))),
  (text, dice) => oneAttribute(text, dice, () => ""),
  (text, dice) => oneAttribute(text, dice, (name, value) => wrapped(name, value) + wrapped(name, value)),
  (text, dice) =>
    oneAttribute(
      text,
      dice,
      (name, value) => wrapped(dice.pick(["from", "to", "id", "type", "jid", "xmlns"]), value) + wrapped(name, value),
    ),
  (text, dice) =>
    oneAttribute(text, dice, (name, value) => wrapped(dice.chance(0.5) ? `x:${name}` : name.toUpperCase(), value)),
  (text, dice) => oneAttribute(text, dice, (name, value) => wrapped(name, value + dice.pick(values))),
  // Namespaces
  (text, dice) => text.replace(/xmlns="[^"]*"/, () => `xmlns="${dice.pick(namespaces)}"`),
  (text, dice) =>
    text.replace(
      /(<\w+[^>]*>.*?)xmlns="[^"]*"/s,
      (_all, before: string) => `${before}xmlns="${dice.pick(namespaces)}"`,
    ),
  (text, dice) =>
    text
      .replace(/<(\w+)/, (_all, name: string) => `<x:${name} xmlns:x='${dice.pick(namespaces)}'`)
      .replace(/<\/(\w+)>$/, "</x:$1>"),
  (text) => text.replace(/<(\w+) xmlns=/g, "<y:$1 xmlns:y=").replace(/<\/(\w+)>/g, "</y:$1>"),
  // Elements
  (text, dice) => {
    const all = [...text.matchAll(elements)];
    if (all.length === 0) return text;
    const { index, 0: whole } = dice.pick(all);
    const becomes = dice.pick(["", whole + whole, `<w>${whole}</w>`, whole.repeat(50), `${whole}text`]);
    return text.slice(0, index) + becomes + text.slice(index + whole.length);
  },
  (text, dice) => {
    const depth = dice.pick([2, 60, 64, 65, 70, 5_000]);
    return inside(text, "<d>".repeat(depth) + "</d>".repeat(depth));
  },
  (text, dice) => `<${dice.pick(["iq", "message", "w"])}>${text}</${dice.pick(["iq", "message", "w"])}>`,
  (text, dice) =>
    inside(
      text,
      dice.pick(["<error/>", "<error type='wait'/>", "<x/>", "text", "<![CDATA[<claimed/>]]>", "<![CDATA[]]", "]]>"]),
    ),
  (text, dice) =>
    inside(
      text,
      dice.pick([
        "<!-- x -->",
        "<?x y?>",
        "<!DOCTYPE x>",
        "<!",
        "<",
        ">",
        "</",
        "</iq>",
        "&",
        "&bogus;",
        "&#x0;",
        "&lt;",
      ]),
    ),
  (text, dice) =>
    dice.pick([
      "<?xml version='1.0'?>",
      "<!DOCTYPE x [<!ENTITY a 'b'>]>",
      "\uFEFF",
      "text",
      "</stream:stream>",
      "<stream:error/>",
    ]) + text,
  (text) => text + text,
  (text, dice) => text.replace(/\d+/, () => dice.pick(values)),
  (text) => inside(text, Array.from({ length: 70 }, (_, i) => `<e a${i}='' b='${i}'/>`).join("")),
  (text) => text.replace(/^<\w+/, (tag) => tag + Array.from({ length: 70 }, (_, i) => ` a${i}=''`).join("")),
  (text) => text.replace(/<(\w+) xmlns/, (_all, name: string) => `<${name.repeat(40)} xmlns`),
  // Pieces
  (text, dice) => text.slice(dice.below(text.length)),
  (text, dice) => text.slice(0, dice.below(text.length)),
  (text, dice) => {
    const from = dice.below(text.length);
    return text.slice(0, from) + text.slice(from + 1 + dice.below(20));
  },
  (text, dice, others) => {
    const other = dice.pick(others);
    return text.slice(0, dice.below(text.length)) + other.slice(dice.below(other.length));
  },
  (text, dice, others) => inside(text, dice.pick(others)),
  (text, dice, others) =>
    text.replace(/^(<[^>]*>).*$/s, (_all, tag: string) => tag + (/^<[^>]*>(.*)$/s.exec(dice.pick(others))?.[1] ?? "")),
];

// Not often: they are large.
const heavy: readonly Mutate[] = [
  (text) => inside(text, "x".repeat(300_000)),
  (text) => inside(text, "<e/>".repeat(20_000)),
  (text) => inside(text, "<d>".repeat(30_000) + "</d>".repeat(30_000)),
  (text) => inside(text, "€".repeat(80_000)),
  (text) => text.repeat(300),
];

/** What a peer may do to a text that leaves its meaning as it is. */
const mild: readonly Mutate[] = [
  (text) => text,
  (text) => text + text,
  (text) => ` \n${text}\t`,
  (text) => text.replaceAll('"', "'"),
  (text, dice) =>
    oneAttribute(text, dice, (name, value) =>
      /^(\w+)$/.test(value)
        ? wrapped(
            name,
            value.replace(/./gu, (one) => `&#${one.codePointAt(0) ?? 0};`),
          )
        : wrapped(name, value),
    ),
  (text) => inside(text, " "),
  (text) => text.replace(/^<\w+/, (tag) => `${tag} unknown='1' x:y='z'`),
  (text) => text.replace(/>/, "  >"),
];

/** One to three things happen to it, anything at all. */
export function mutateWildly(text: string, dice: Dice, others: readonly string[]): string {
  if (dice.chance(0.002)) return dice.pick(heavy)(text, dice, others);
  let result = text;
  for (let times = 1 + dice.below(3); times > 0 && result !== ""; times--)
    result = dice.pick(wild)(result, dice, others);
  return result;
}

/** Something happens to it that changes nothing about who says what. */
export function mutateMildly(text: string, dice: Dice): string {
  return dice.pick(mild)(text, dice, []);
}

/** Bits flip, bytes come and go. */
export function damage(bytes: Uint8Array, dice: Dice): Uint8Array {
  const result = [...bytes];
  for (let times = 1 + dice.below(3); times > 0 && result.length > 0; times--) {
    const at = dice.below(result.length);
    switch (dice.below(5)) {
      case 0:
        result[at] = (result[at] ?? 0) ^ (1 << dice.below(8));
        break;
      case 1:
        result.splice(at, 0, dice.below(256));
        break;
      case 2:
        result.splice(at, 1);
        break;
      case 3: // UTF-8 that is none: cut short, overlong, a surrogate, beyond Unicode
        result.splice(
          at,
          0,
          ...dice.pick([[0xe2, 0x82], [0xc0, 0xaf], [0xed, 0xa0, 0x80], [0xf4, 0x90, 0x80, 0x80], [0x80]]),
        );
        break;
      default:
        result.splice(at, 1 + dice.below(8));
    }
  }
  return Uint8Array.from(result);
}

/** The same bytes in other pieces. */
export function cut(bytes: Uint8Array, dice: Dice): Uint8Array[] {
  const way = dice.below(10);
  if (bytes.length < 2 || way < 5) return [bytes];
  if (way === 5 && bytes.length < 2_000) return Array.from(bytes, (_, at) => bytes.subarray(at, at + 1));
  const borders = Array.from({ length: way === 6 ? 1 : 1 + dice.below(8) }, () => dice.below(bytes.length));
  const sorted = [0, ...borders.sort((a, b) => a - b), bytes.length];
  return sorted.slice(1).map((end, index) => bytes.subarray(sorted[index], end));
}
