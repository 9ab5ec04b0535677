// A request that came in, as the program that answers it may pass it on: XEP-0324 3.1.3, P-5.6-1, P-5.6-2.
import { ConfigError } from "../core/errors.ts";
import type { Jid } from "../core/jid.ts";
import type { Tokens } from "../codec/tokens.ts";

/** Who sent a request, and what it brought. */
export interface Carried {
  /** The full JID of the sender. */
  readonly from: Jid;
  /** The tokens as they were sent. */
  readonly tokens: Tokens;
}

let carriedBy: (request: IncomingRequest) => Carried;
let isOne: (value: unknown) => value is IncomingRequest;

/**
 * A request that is being answered, to be handed on as `onBehalfOf` to what is asked of others because of it. The tokens
 * that it brought go with it; they are not shown.
 */
export class IncomingRequest {
  readonly #carried: Carried;

  static {
    carriedBy = (request) => request.#carried;
    isOne = (value): value is IncomingRequest => typeof value === "object" && value !== null && #carried in value;
  }

  /** @internal */
  constructor(from: Jid, tokens: Tokens) {
    this.#carried = { from, tokens };
  }

  /** The full JID of whoever sent it. */
  get from(): string {
    return this.#carried.from.full;
  }
}

/** What a request brought. Throws `ERR_CONFIG` for what is no request. */
export function carried(request: unknown): Carried {
  if (!isOne(request)) {
    throw new ConfigError("onBehalfOf: must be the `request` that a callback was given; leave it out if there is none");
  }
  return carriedBy(request);
}
