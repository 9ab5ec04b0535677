// RFC 6120 section 4.3: from the socket to a bound resource, step after step; then XEP-0198 section 3. TLS comes before anything else, whatever
// the server says that it offers.
import type { SecureContext } from "node:tls";
import { ConnectionError, ProtocolError, RegistrationError, StanzaError, TlsPolicyError } from "../core/errors.ts";
import { parseJid, type Jid } from "../core/jid.ts";
import type { RandomSource } from "../core/random.ts";
import { el, type XmlElement } from "../codec/xml.ts";
import type { ServerAddress } from "../discovery/address.ts";
import { askServer, type AskServer } from "./iq-exchange.ts";
import { streamNs } from "./namespaces.ts";
import { register } from "./registration.ts";
import { logIn, refusedLogin } from "./sasl.ts";
import { ascii } from "./tls-policy.ts";
import type { XmlStream } from "./xml-stream.ts";

/** What a negotiation goes by. */
export interface NegotiationOptions {
  /** Where the server is. */
  readonly address: ServerAddress;
  /** What it has to prove. */
  readonly context: SecureContext;
  /** False where it need not: the option `tls.unverified` names the domain. */
  readonly verify: boolean;
  /** Whom to log in as. `register`: make the account if the login is refused. */
  readonly account: {
    readonly username: string;
    readonly password: string;
    readonly resource: string;
    readonly register: boolean;
  };
  /** Randomness for nonces and ids. */
  readonly random: RandomSource;
  /** Told when the server has proved nothing, and need not: before anything secret is sent. */
  readonly onUnverified: () => void;
  /** Awaited before the account is made: the server has proved its domain by now. */
  readonly onMakingAccount: () => Promise<void>;
  /** Awaited when the account was made. */
  readonly onAccountMade: () => Promise<void>;
}

/** The server closed the stream when it refused the login, before an account could be made. */
export class ClosedAfterRefusal extends ConnectionError {}

/**
 * Negotiates a stream; resolves to the JID that the server bound.
 *
 * @param registerFirst make the account before the login is tried: for the second stream, after {@link ClosedAfterRefusal}
 */
export async function negotiate(stream: XmlStream, options: NegotiationOptions, registerFirst: boolean): Promise<Jid> {
  const features = await secure(stream, options);
  await authenticate(stream, features, options, registerFirst);
  return bind(stream, await stream.open(), options);
}

/** From the socket to the features that the server offers under TLS, which it has proved itself by. */
export async function secure(
  stream: XmlStream,
  {
    address,
    context,
    verify,
    onUnverified,
  }: Pick<NegotiationOptions, "address" | "context" | "verify" | "onUnverified">,
): Promise<XmlElement> {
  await stream.connect();
  if (address.directTls !== true) {
    const features = await stream.open();
    // RFC 6120 section 5.3.1. An attacker in the middle can take the offer away; then there is no connection.
    if (features.getChild("starttls", streamNs.tls) === undefined) {
      throw new TlsPolicyError("the server offers no TLS (STARTTLS), or somebody on the way has taken the offer away");
    }
    await stream.write([el("starttls", { xmlns: streamNs.tls })]);
    const answer = await stream.next();
    if (!answer.is("proceed", streamNs.tls)) throw new TlsPolicyError("the server refuses TLS");
  }
  await stream.secure(context, verify);
  if (!verify) onUnverified();
  return stream.open();
}

async function authenticate(
  stream: XmlStream,
  features: XmlElement,
  options: NegotiationOptions,
  registerFirst: boolean,
): Promise<void> {
  const { account, random, address } = options;
  const ask = askServer(stream, random, address.domain);
  let taken: unknown;
  if (registerFirst) {
    // A name that is taken may be the account that the stream before has made after all: the login will tell.
    taken = await makeAccount(ask, options).catch(onlyConflict);
  }
  const outcome = await logIn(stream, features, account, random);
  if (outcome.ok) return;
  if (taken !== undefined) throw taken as Error;
  if (registerFirst || !account.register || outcome.condition !== "not-authorized") throw refusedLogin(outcome);
  try {
    await makeAccount(ask, options);
  } catch (error) {
    if (error instanceof ConnectionError) throw new ClosedAfterRefusal(error.message, { cause: error });
    throw error;
  }
  const second = await logIn(stream, features, account, random);
  if (!second.ok) throw refusedLogin(second);
}

async function makeAccount(ask: AskServer, options: NegotiationOptions): Promise<void> {
  await options.onMakingAccount();
  await register(ask, options.address.domain, options.account);
  await options.onAccountMade();
}

function onlyConflict(error: unknown): unknown {
  if (error instanceof RegistrationError && error.condition === "conflict") return error;
  throw error;
}

async function bind(stream: XmlStream, features: XmlElement, options: NegotiationOptions): Promise<Jid> {
  const held: XmlElement[] = [];
  const ask = askServer(stream, options.random, options.address.domain, held);
  try {
    // RFC 6120 section 7.6
    const resource = el("resource", {}, options.account.resource);
    const answer = await ask("set", el("bind", { xmlns: streamNs.bind }, resource));
    const bound = answer?.getChild("jid", streamNs.bind)?.text().trim() ?? "";
    const jid = parseJid(bound, "bind/jid");
    if (jid.resource === "") throw new ProtocolError("not a full JID", "bind/jid");
    // Its certificate proves this one domain: nobody is made an account of another by the word of a server.
    const { domain } = options.address;
    if (ascii(jid.domain) !== ascii(domain)) {
      throw new ProtocolError(`an address of another domain than ${domain}`, "bind/jid");
    }
    // RFC 3921 section 3: servers that still want it say so by leaving `optional` out.
    const session = features.getChild("session", streamNs.session);
    if (session !== undefined && session.getChild("optional") === undefined) {
      await ask("set", el("session", { xmlns: streamNs.session }));
    }
    stream.unread(held);
    // Answered before anything else is written: whatever is written counts.
    if (features.getChild("sm", streamNs.management) !== undefined) await stream.manage();
    return jid;
  } catch (cause) {
    if (!(cause instanceof StanzaError)) throw cause;
    throw new ConnectionError(`the server bound no resource: ${cause.condition}`, { cause });
  }
}
