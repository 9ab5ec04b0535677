// A Thing that reads and controls other Things: of its own accord, or on behalf of whoever has asked it to. XEP-0324 3.1.3,
// 3.1.5, 5.6; P-3.1.3-7, P-5.6-2, X-E7.
import { timeLeft, type CallOptions } from "../core/abort.ts";
import type { Clock } from "../core/clock.ts";
import { configJid, parseJid } from "../core/jid.ts";
import { checkKnown } from "../core/options.ts";
import { ns } from "../codec/namespaces.ts";
import { asAttributes, parseTokenList, type Tokens } from "../codec/tokens.ts";
import type { Channel, Whereabouts } from "../channel/channel.ts";
import {
  checkControlCall,
  checkFormCall,
  getControlForm,
  setParameters,
  type ControlForm,
  type ControlOptions,
  type ControlOutcome,
  type FormOptions,
  type ParameterValues,
} from "../control/controller.ts";
import { carried, type IncomingRequest } from "../provisioning/incoming-request.ts";
import type { SentTokens } from "../provisioning/sent-tokens.ts";
import { discreet, discreetly } from "../sensor/discreet.ts";
import { checkReadOptions, readOptionNames, type ReadOptions } from "../sensor/read-options.ts";
import type { Readout } from "../sensor/remote-readout.ts";
import { SensorReader } from "../sensor/sensor-reader.ts";

/** On whose behalf a Thing asks another one. */
export interface OnBehalf {
  /**
   * The request that it is done for: the `request` that the callback was given. Its tokens are passed on (XEP-0324 3.1.3).
   * Default: none; the Thing does it of its own accord.
   */
  readonly onBehalfOf?: IncomingRequest;
}

/** How a Thing reads another one. */
export interface ThingReadOptions extends Omit<ReadOptions, "tokens">, OnBehalf {}

/** How a Thing controls another one. */
export interface ThingControlOptions extends Omit<ControlOptions, "tokens">, OnBehalf {}

/** How a Thing asks what it may control of another one. */
export interface ThingFormOptions extends Omit<FormOptions, "tokens">, OnBehalf {}

/** What acting is done with. */
export interface ActingParts {
  readonly channel: Channel;
  /** Where other Things are reached. */
  readonly whereabouts: Whereabouts;
  /** Where the tokens that go out are noted, for the challenges that may come. */
  readonly sent: SentTokens;
  /** The Thing's own tokens, one from each provisioning server. */
  readonly ownTokens: () => readonly string[];
  readonly clock: Clock;
}

/** Asks other Things. */
export class Acting {
  readonly #parts: ActingParts;
  readonly #reader: SensorReader;

  constructor(parts: ActingParts) {
    this.#parts = parts;
    this.#reader = new SensorReader(parts.channel, parts.clock);
  }

  /** Reads a Thing. */
  read(jid: string, given: ThingReadOptions): Readout {
    return this.#reader.readWhere(async () => {
      checkOnBehalf(given, ["onBehalfOf", ...readOptionNames.filter((name) => name !== "tokens")]);
      const { onBehalfOf, ...options } = given;
      checkReadOptions(options);
      const to = await this.#addressOf(jid, ns.sensorData, options);
      const tokens = this.#tokensTo(to, onBehalfOf);
      return { jid: to, options: { ...options, tokens }, inWords: (error) => discreet(error, tokens) };
    });
  }

  /** Controls a Thing. */
  async control(jid: string, values: ParameterValues, given: ThingControlOptions): Promise<ControlOutcome> {
    checkOnBehalf(given, ["onBehalfOf", "nodes", "form", "timeout", "signal"]);
    const { onBehalfOf, ...options } = given;
    checkControlCall(values, options);
    const left = timeLeft(this.#parts.clock, options);
    const to = await this.#addressOf(jid, ns.control, left());
    const tokens = this.#tokensTo(to, onBehalfOf);
    return discreetly(tokens, setParameters(this.#parts.channel, to, values, { ...options, ...left(), tokens }));
  }

  /** Asks what can be controlled of a Thing. */
  async getForm(jid: string, given: ThingFormOptions): Promise<ControlForm> {
    checkOnBehalf(given, ["onBehalfOf", "nodes", "language", "timeout", "signal"]);
    const { onBehalfOf, ...options } = given;
    checkFormCall(options);
    const left = timeLeft(this.#parts.clock, options);
    const to = await this.#addressOf(jid, ns.control, left());
    const tokens = this.#tokensTo(to, onBehalfOf);
    return discreetly(tokens, getControlForm(this.#parts.channel, to, { ...options, ...left(), tokens }));
  }

  async #addressOf(text: string, feature: string, { signal, timeout }: CallOptions): Promise<string> {
    const jid = configJid(text, "jid");
    return jid.resource === "" ? this.#parts.whereabouts.addressOf(jid.bare, feature, { signal, timeout }) : jid.full;
  }

  /** All the tokens that go along: the Thing's own, and those of the request. They are noted before they go out. */
  #tokensTo(to: string, request: IncomingRequest | undefined): Tokens {
    const { sent, ownTokens } = this.#parts;
    const { bare } = parseJid(to);
    const own = ownTokens();
    const acting = asAttributes({ deviceToken: own });
    sent.record(acting, bare, undefined);
    if (request === undefined) return acting;
    const { from, tokens } = carried(request);
    // One that is the Thing's own goes as its own: for it the Thing answers itself.
    const foreign = (list = ""): readonly string[] => parseTokenList(list).filter((token) => !own.includes(token));
    const [serviceToken, deviceToken, userToken] = [
      foreign(tokens.serviceToken),
      foreign(tokens.deviceToken),
      foreign(tokens.userToken),
    ];
    sent.record(asAttributes({ serviceToken, deviceToken, userToken }), bare, from);
    return asAttributes({ serviceToken, deviceToken: [...own, ...deviceToken], userToken });
  }
}

/**
 * Throws `ERR_CONFIG` before anything goes out. An `onBehalfOf` that is misspelt, or there without a value, would let the
 * Thing do of its own accord, with its own rights, what somebody else has asked for.
 */
function checkOnBehalf(given: OnBehalf, known: readonly string[]): void {
  checkKnown(given, known, "options");
  if ("onBehalfOf" in given) carried(given.onBehalfOf);
}
