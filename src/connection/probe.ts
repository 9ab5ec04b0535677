// A look at a server, as far as a Thing goes before it has an account: RFC 6120 sections 4 and 5, XEP-0077 section 3.1.
import { withDeadline, type CallOptions } from "../core/abort.ts";
import { systemClock, type Clock } from "../core/clock.ts";
import { ConnectionError, ProtocolError, TlsPolicyError, messageOf } from "../core/errors.ts";
import { silentLogger } from "../core/logger.ts";
import { own } from "../core/own.ts";
import { systemRandom, type RandomSource } from "../core/random.ts";
import type { ServerAddress } from "../discovery/address.ts";
import { askServer } from "./iq-exchange.ts";
import { chooseMechanism } from "./mechanism.ts";
import { secure } from "./negotiation.ts";
import { checkRegistration } from "./registration.ts";
import { offerOf } from "./sasl.ts";
import { StreamError } from "./stream-end.ts";
import { CertificateTimeError, secureContext, type TlsPolicy } from "./tls-policy.ts";
import { XmlStream } from "./xml-stream.ts";

/** What a look at a server has shown. */
export type Verdict =
  /** Its certificate proves the XMPP domain. */
  | "proved"
  /** It has no TLS, or its certificate does not prove the domain: a Thing would not go on. */
  | "unproved"
  /** The certificate and this machine's clock contradict each other. */
  | "clock"
  /** It ended the stream, for instance since it does not serve the domain. */
  | "refused"
  /** Whatever listens there does not speak XMPP. */
  | "no-xmpp"
  /** Nobody answers. */
  | "unreachable";

/** What {@link probe} has seen. */
export interface Probe {
  /** Whether it is the server of its domain. */
  readonly verdict: Verdict;
  /** Why not; empty if it is. */
  readonly why: string;
  /** The mechanisms of SASL that it offers, in its order; none if it did not come to that. */
  readonly mechanisms: readonly string[];
  /** Whether a Thing can log in by one of them: by SCRAM, never by PLAIN. */
  readonly login: boolean;
  /** Whether a Thing can make itself an account there (XEP-0077). */
  readonly accounts: boolean;
  /** Why it cannot; empty if it can. */
  readonly accountsWhy: string;
}

/** What {@link probe} goes by. */
export interface ProbeOptions extends CallOptions {
  /** What the server has to prove. */
  readonly tls?: TlsPolicy | undefined;
  /** Time. Default: the machine's. */
  readonly clock?: Clock | undefined;
  /** Randomness. Default: the operating system's. */
  readonly random?: RandomSource | undefined;
}

const MOST_MECHANISMS = 32;
const LONGEST_NAME = 64;

/**
 * Connects, puts TLS under the stream, checks the certificate against the domain, reads what is offered, asks what an
 * account would take, and leaves. It never logs in, makes no account, and sends nothing secret. Whatever the server
 * does is a verdict; rejects only with `ERR_CONFIG` for a policy that cannot be used, and with the signal's reason.
 * Default timeout 10,000 ms.
 */
export async function probe(address: ServerAddress, options: ProbeOptions = {}): Promise<Probe> {
  const { clock = systemClock, random = systemRandom, signal, timeout = 10_000 } = options;
  const context = secureContext(options.tls);
  const stream = new XmlStream({ address, clock, logger: silentLogger, maxStanzaBytes: 65_536 });
  const what = `${address.host}:${address.port}`;
  let seen: Pick<Probe, "mechanisms" | "login"> | undefined;
  try {
    const accountsWhy = await withDeadline(clock, { signal, timeout }, what, async () => {
      const offer = offerOf(await secure(stream, { address, context, verify: true, onUnverified: () => undefined }));
      const mechanisms = offer.mechanisms.slice(0, MOST_MECHANISMS).map((name) => own(name.slice(0, LONGEST_NAME)));
      seen = { mechanisms, login: chooseMechanism(offer, stream.bindings) !== undefined };
      return whyNoAccount(stream, address.domain, random);
    });
    void stream.close(); // in good order, within a second: nobody waits for that
    return { verdict: "proved", why: "", ...(seen ?? nothing), accounts: accountsWhy === "", accountsWhy };
  } catch (error) {
    const why = messageOf(error);
    stream.end(new ConnectionError(why));
    signal?.throwIfAborted();
    // It has proved itself before it fell silent.
    if (seen !== undefined) return { verdict: "proved", why: "", ...seen, accounts: false, accountsWhy: why };
    return { verdict: verdictOf(error), why, ...nothing, accounts: false, accountsWhy: "" };
  }
}

const nothing = { mechanisms: [], login: false } as const;

/**
 * Why a Thing can make no account there; empty if it can. The server is asked, whether it lists the stream feature or
 * not: some forget it, and some ask for more than a Thing can give.
 */
async function whyNoAccount(stream: XmlStream, domain: string, random: RandomSource): Promise<string> {
  try {
    await checkRegistration(askServer(stream, random, domain), domain);
    return "";
  } catch (error) {
    // It has proved itself before: that it refuses, or ends the stream, is its answer.
    return messageOf(error);
  }
}

function verdictOf(error: unknown): Verdict {
  if (error instanceof CertificateTimeError) return "clock";
  if (error instanceof TlsPolicyError) return "unproved";
  if (error instanceof StreamError) return "refused";
  if (error instanceof ProtocolError) return "no-xmpp";
  return "unreachable";
}
