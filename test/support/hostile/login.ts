// The way to a stream with a server that lies: from the first byte to the bound resource. Nothing secret goes out before
// TLS, the password never, and no stream comes up with a server that did not prove itself.
import { createHash, createHmac, pbkdf2Sync } from "node:crypto";
import { setImmediate } from "node:timers/promises";
import { silentLogger } from "../../../src/core/logger.ts";
import { openStream, type XmppStream } from "../../../src/connection/stream.ts";
import { SeededRandom } from "../../../src/sandbox/seeded-random.ts";
import { SimulatedClock } from "../../../src/sandbox/simulated-clock.ts";
import { DOMAIN } from "./cast.ts";
import type { Corpus } from "./corpus.ts";
import type { Dice } from "./dice.ts";
import { MemorySocket } from "./memory-socket.ts";
import { cut, damage, mutateWildly } from "./mutate.ts";
import type { Fed } from "./streams.ts";

const PASSWORD = "correct horse battery staple";
const SALT = new Uint8Array(Buffer.from("sixteen bytes of"));
const base64 = (text: string): string => Buffer.from(text).toString("base64");
const salted = new Map<string, Uint8Array>();

/** What the server must show, and what it sends first; undefined before the client has begun. */
function scram(written: string): { challenge: string; success: string } | undefined {
  const [, mechanism = "", first = ""] = /<auth [^>]*mechanism="([^"]*)"[^>]*>([^<]*)</.exec(written) ?? [];
  if (first === "") return undefined;
  const hash = mechanism.replace(/^SCRAM-SHA-/, "sha");
  const bytes = createHash(hash).digest().length;
  const bare = Buffer.from(first, "base64").toString().replace(/^n,,/, "");
  const nonce = `${/r=(.*)$/.exec(bare)?.[1] ?? ""}server`;
  const challenge = `r=${nonce},s=${Buffer.from(SALT).toString("base64")},i=4096`;
  const key = salted.get(hash) ?? new Uint8Array(pbkdf2Sync(PASSWORD, SALT, 4_096, bytes, hash));
  salted.set(hash, key);
  const hmac = (with_: Uint8Array, text: string): Uint8Array =>
    new Uint8Array(createHmac(hash, with_).update(text).digest());
  const signature = hmac(hmac(key, "Server Key"), `${bare},${challenge},c=biws,r=${nonce}`);
  return { challenge: base64(challenge), success: base64(`v=${Buffer.from(signature).toString("base64")}`) };
}

/** Plays one login. Returns whether a stream came up, and what is wrong, if anything. */
export async function playLogin(corpus: Corpus, dice: Dice, fed: Fed): Promise<{ up: boolean; wrong?: string }> {
  const clock = new SimulatedClock();
  const given = new AbortController();
  let stream: XmppStream | undefined;
  const registering = dice.chance(0.3);
  const opening = openStream({
    address: { host: "127.0.0.1", port: 1, domain: DOMAIN },
    account: { username: "thing", password: PASSWORD, resource: "home", register: registering },
    clock,
    random: new SeededRandom(dice.below(1_000)),
    logger: silentLogger,
    signal: given.signal,
  }).then(
    (opened) => (stream = opened),
    () => undefined,
  );
  await setImmediate();
  const socket = MemorySocket.latest as MemorySocket;
  // Some are left as they are: a login that works must work.
  const spoilt = dice.below(12);
  let proved = false;
  const say = async (step: number, text: string): Promise<void> => {
    const wrong = step === spoilt ? mutateWildly(text, dice, corpus.frames) : text;
    const plain = new Uint8Array(Buffer.from(wrong));
    const bytes = step === spoilt && dice.chance(0.3) ? damage(plain, dice) : plain;
    const chunks = cut(bytes, dice);
    fed.push(...chunks);
    for (const chunk of chunks) socket.feed(chunk);
    await setImmediate();
  };
  const frame = (part: string): string => corpus.frames.find((one) => one.includes(part)) ?? "";
  const header = `<?xml version='1.0'?>${frame("<stream:stream").replace("{id}", "1")}`;
  await say(0, header + frame("<starttls"));
  await say(1, frame("<proceed"));
  await setImmediate();
  await say(2, header + frame("<mechanisms"));
  const exchange = scram(socket.secret);
  if (exchange !== undefined) {
    await say(3, frame("<challenge").replace("{challenge}", exchange.challenge));
    // The client's hashing takes its time, on another thread. What was spoilt may leave it waiting for ever.
    const patience = spoilt === 3 ? 20 : 2_000;
    for (let turn = 0; turn < patience && !socket.secret.includes("<response") && !isOver(socket); turn++) {
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    const success = frame("<success").replace("{success}", exchange.success);
    const before = fed.length;
    await say(4, success);
    const said = fed.slice(before).map((chunk) => Buffer.from(chunk).toString("latin1"));
    proved = said.join("").includes(exchange.success);
    await say(5, header + frame("<bind"));
    const [, id = "none"] = /<iq [^>]*id="([^"]*)"[^>]*><bind/.exec(socket.secret) ?? [];
    const bind = corpus.stanzas.find((one) => one.includes("<bind")) ?? "";
    await say(6, bind.replace("{id}", id).replace(/<jid>[^<]*/, `<jid>thing@${DOMAIN}/home`));
    if (socket.secret.includes("<enable ")) await say(7, frame("<enabled"));
  }
  await setImmediate();
  given.abort(new Error("enough"));
  await opening;
  const up = stream !== undefined;
  if (stream !== undefined) {
    const closing = stream.close();
    await clock.advance(2_000);
    await closing;
  }
  socket.destroy();
  const wrong = verdict();
  return wrong === undefined ? { up } : { up, wrong };

  function verdict(): string | undefined {
    if (clock.pending > 0) return `${clock.pending} timers are left`;
    const everything = socket.clear + socket.secret;
    if (/<auth|<response|<iq|<presence|<message/.test(socket.clear)) return `in the clear: ${socket.clear}`;
    const secrets = [PASSWORD, base64(PASSWORD), base64(`\0thing\0${PASSWORD}`)];
    // Making an account is the one time when it is told, under TLS.
    if (!registering && secrets.some((text) => everything.includes(text))) return "the password went out";
    if (up && !proved) return "a stream came up with a server that proved nothing";
    return undefined;
  }
}

/** Neither side will say anything more. */
function isOver(socket: MemorySocket): boolean {
  return socket.destroyed || socket.secret.endsWith("</stream:stream>");
}
