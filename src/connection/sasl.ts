// RFC 6120 section 6: SASL, with SCRAM alone.
import { AuthenticationError, ConnectionError, ProtocolError, type SdkError } from "../core/errors.ts";
import { randomToken, type RandomSource } from "../core/random.ts";
import { el, own, type XmlElement } from "../codec/xml.ts";
import { streamNs } from "./namespaces.ts";
import { chooseMechanism, type Offer } from "./mechanism.ts";
import { ScramClient, broken, fromBase64 } from "./scram.ts";
import type { XmlStream } from "./xml-stream.ts";

/** How a login went. */
export type SaslOutcome =
  | { readonly ok: true }
  | {
      readonly ok: false;
      /** The server's condition, for instance `not-authorized` (RFC 6120 section 6.5). */
      readonly condition: string;
      /** The server's own words; empty if it gave none. */
      readonly text: string;
    };

/**
 * Logs in. A refusal is an outcome. Rejects with `ERR_AUTHENTICATION` if there is no mechanism that both know, and when
 * the server does not prove that it knows the password.
 */
export async function logIn(
  stream: XmlStream,
  features: XmlElement,
  account: { readonly username: string; readonly password: string },
  random: RandomSource,
): Promise<SaslOutcome> {
  const offer = offerOf(features);
  const mechanism = chooseMechanism(offer, stream.bindings);
  if (mechanism === undefined) {
    const names = offer.mechanisms.join(", ") || "none";
    throw new AuthenticationError(
      `the server offers no SCRAM-SHA-512, SCRAM-SHA-256 or SCRAM-SHA-1 (it offers: ${own(names)})`,
    );
  }
  const { name, hash, binding } = mechanism;
  const { username, password } = account;
  const scram = new ScramClient({ hash, binding, username, password, nonce: randomToken(random, 18) });
  await stream.write([el("auth", { xmlns: streamNs.sasl, mechanism: name }, encode(scram.first()))]);
  let answered = false;
  for (;;) {
    const element = await stream.next();
    if (element.getNS() !== streamNs.sasl) throw new ProtocolError("no part of a login", element.name);
    if (element.is("failure")) return refusal(element);
    if (element.is("success")) {
      // What proves the server comes with the success, or in a challenge before it (RFC 6120 section 6.3.10).
      if (!scram.verified) scram.verify(decode(element));
      return { ok: true };
    }
    if (!element.is("challenge")) throw new ProtocolError("no part of a login", element.name);
    if (answered) scram.verify(decode(element));
    const response = answered ? undefined : encode(await scram.final(decode(element)));
    await stream.write([el("response", { xmlns: streamNs.sasl }, response)]);
    answered = true;
  }
}

/** What a server says that it takes (RFC 6120 section 6.3.1, XEP-0440 section 3). */
export function offerOf(features: XmlElement): Offer {
  const mechanisms = features.getChild("mechanisms", streamNs.sasl)?.getChildren("mechanism", streamNs.sasl) ?? [];
  const announced = features.getChild("sasl-channel-binding", streamNs.channelBinding);
  const bindings = announced?.getChildren("channel-binding", streamNs.channelBinding) ?? [];
  return {
    mechanisms: mechanisms.map((element) => element.text().trim()),
    bindings: bindings.map((element) => element.attrs["type"] ?? ""),
  };
}

/** The server does not know the account, or not by this password. */
export class LoginRefused extends AuthenticationError {}

/** The error that a refused login is, where nothing more can be done about it. */
export function refusedLogin(outcome: { condition: string; text: string }): SdkError {
  const message = `the login was refused: ${outcome.condition}${outcome.text === "" ? "" : ` (${outcome.text})`}`;
  // RFC 6120 section 6.5.11: nothing is wrong with the credentials.
  if (outcome.condition === "temporary-auth-failure") return new ConnectionError(message);
  return new LoginRefused(message);
}

// Enough for a person, too little to fill a log with.
const LONGEST_TEXT = 200;

function refusal(failure: XmlElement): SaslOutcome {
  const condition = failure.getChildElements().find((child) => !child.is("text"))?.name ?? "not-authorized";
  return {
    ok: false,
    condition: own(condition),
    text: own((failure.getChild("text")?.text() ?? "").slice(0, LONGEST_TEXT)),
  };
}

function encode(text: string): string {
  return Buffer.from(text).toString("base64");
}

function decode(element: XmlElement): string {
  const text = element.text();
  // RFC 6120 section 6.4.2: `=` stands for no bytes at all.
  const bytes = element.getChildElements().length > 0 ? undefined : fromBase64(text === "=" ? "" : text);
  if (bytes === undefined) throw broken("what is no base64");
  return Buffer.from(bytes).toString();
}
