// RFC 5802 section 6, XEP-0440: which of the ways to log in that a server offers is taken. SCRAM alone; never PLAIN, which
// would hand the password to whoever holds the certificate.
import { bindingTypes, type Binding, type ChannelBindings } from "./channel-binding.ts";
import { scramHashes, type ScramHash } from "./scram.ts";

/** A way to log in. */
export interface Mechanism {
  /** Its name in SASL, for instance `SCRAM-SHA-256-PLUS`. */
  readonly name: string;
  /** The hash function in it. */
  readonly hash: ScramHash;
  /** What is said of channel binding. */
  readonly binding: Binding;
}

/** What a server offers. */
export interface Offer {
  /** Its mechanisms, by name. */
  readonly mechanisms: readonly string[];
  /** The kinds of channel binding that it announces (XEP-0440); empty if it says nothing of them. */
  readonly bindings: readonly string[];
}

/**
 * The strongest way that both know, one that is bound to the channel before one that is not; `undefined` if there is none.
 *
 * A server that offers a `-PLUS` and does not say by XEP-0440 what it binds to is asked for no binding: older servers
 * (Prosody 0.12, ejabberd 23.01) mean `tls-unique`, which TLS 1.3 does not have, and would refuse every other. If it
 * offers nothing else it is tried.
 */
export function chooseMechanism(offer: Offer, channel: ChannelBindings): Mechanism | undefined {
  const { mechanisms, bindings } = offer;
  const withBinding = scramHashes.filter((hash) => mechanisms.includes(`SCRAM-${hash}-PLUS`));
  const without = scramHashes.filter((hash) => mechanisms.includes(`SCRAM-${hash}`));
  const isGuess = bindings.length === 0 && without.length === 0;
  const type = bindingTypes.find((one) => channel.has(one) && (isGuess || bindings.includes(one)));
  const [bound] = withBinding;
  const data = type === undefined ? undefined : channel.get(type);
  if (bound !== undefined && type !== undefined && data !== undefined) {
    return { name: `SCRAM-${bound}-PLUS`, hash: bound, binding: { type, data } };
  }
  const [hash] = without;
  if (hash === undefined) return undefined;
  return { name: `SCRAM-${hash}`, hash, binding: withBinding.length === 0 && channel.size > 0 ? "y" : "n" };
}
