// A service that reads and controls Things, of its own accord or for one of its users: XEP-0324 3.1.5, 5.6 (P-5.6-1).
import { timeLeft, type CallOptions } from "../core/abort.ts";
import type { Clock } from "../core/clock.ts";
import { configJid, parseJid, type BareJid } from "../core/jid.ts";
import { ns } from "../codec/namespaces.ts";
import { asAttributes, type Tokens } from "../codec/tokens.ts";
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
import type { SentTokens } from "../provisioning/sent-tokens.ts";
import { discreet, discreetly } from "../sensor/discreet.ts";
import { checkReadOptions, readOptionNames, type ReadOptions } from "../sensor/read-options.ts";
import type { Readout } from "../sensor/remote-readout.ts";
import { SensorReader } from "../sensor/sensor-reader.ts";
import { checkKnown } from "../core/options.ts";

/** What a service reads of a Thing. The tokens are its own, and the user's. */
export type ServiceReadOptions = Omit<ReadOptions, "tokens">;

/** How a service sets parameters of a Thing. The tokens are its own, and the user's. */
export type ServiceControlOptions = Omit<ControlOptions, "tokens">;

/** How a service asks what can be controlled of a Thing. The tokens are its own, and the user's. */
export type ServiceFormOptions = Omit<FormOptions, "tokens">;

/** What acting is done with. */
export interface ServiceActingParts {
  readonly channel: Channel;
  readonly whereabouts: Whereabouts;
  /** Where the tokens that go out are noted, for the challenges that may come. */
  readonly sent: SentTokens;
  /** The service's own tokens, one from each provisioning server. */
  readonly ownTokens: () => readonly string[];
  readonly clock: Clock;
  /** From now on this Thing may ask for friendship. */
  readonly onAsked: (jid: BareJid) => void;
}

/** Gives the tokens of the user for whom it is done, within limits. */
type UserTokens = (limits: CallOptions) => Promise<readonly string[]>;

const nobody: UserTokens = () => Promise.resolve([]);

/** Asks Things. */
export class ServiceActing {
  readonly #parts: ServiceActingParts;
  readonly #reader: SensorReader;

  constructor(parts: ServiceActingParts) {
    this.#parts = parts;
    this.#reader = new SensorReader(parts.channel, parts.clock);
  }

  /** Reads a Thing; `userTokens` are those of the user for whom it is done. */
  read(jid: string, options: ServiceReadOptions, userTokens = nobody): Readout {
    return this.#reader.readWhere(async () => {
      const names: readonly string[] = readOptionNames;
      checkKnown(
        options,
        names.filter((name) => name !== "tokens"),
        "options",
      );
      checkReadOptions(options);
      const users = await userTokens(options);
      const to = await this.#addressOf(jid, ns.sensorData, options);
      const tokens = this.#tokensTo(to, users);
      return { jid: to, options: { ...options, tokens }, inWords: (error) => discreet(error, tokens) };
    });
  }

  /** Sets parameters of a Thing. */
  async control(
    jid: string,
    values: ParameterValues,
    options: ServiceControlOptions,
    userTokens = nobody,
  ): Promise<ControlOutcome> {
    checkKnown(options, ["nodes", "form", "timeout", "signal"], "options");
    checkControlCall(values, options);
    const { to, tokens, left } = await this.#ready(jid, options, userTokens);
    return discreetly(tokens, setParameters(this.#parts.channel, to, values, { ...options, ...left(), tokens }));
  }

  /** Asks what can be controlled of a Thing. */
  async getForm(jid: string, options: ServiceFormOptions, userTokens = nobody): Promise<ControlForm> {
    checkKnown(options, ["nodes", "language", "timeout", "signal"], "options");
    checkFormCall(options);
    const { to, tokens, left } = await this.#ready(jid, options, userTokens);
    return discreetly(tokens, getControlForm(this.#parts.channel, to, { ...options, ...left(), tokens }));
  }

  /** Where to, with which tokens, and in which time: a limit that was given is for this and the question together. */
  async #ready(
    jid: string,
    { signal, timeout }: CallOptions,
    userTokens: UserTokens,
  ): Promise<{ to: string; tokens: Tokens; left: () => CallOptions }> {
    const left = timeLeft(this.#parts.clock, { signal, timeout });
    const users = await userTokens(left());
    const to = await this.#addressOf(jid, ns.control, left());
    return { to, tokens: this.#tokensTo(to, users), left };
  }

  async #addressOf(text: string, feature: string, { signal, timeout }: CallOptions): Promise<string> {
    const jid = configJid(text, "jid");
    this.#parts.onAsked(jid.bare);
    return jid.resource === "" ? this.#parts.whereabouts.addressOf(jid.bare, feature, { signal, timeout }) : jid.full;
  }

  /** P-5.6-1: the service's own tokens, and in the context of a user those of the user. Noted before they go out. */
  #tokensTo(to: string, userToken: readonly string[]): Tokens {
    const serviceToken = this.#parts.ownTokens();
    this.#parts.sent.record(asAttributes({ serviceToken }), parseJid(to).bare, undefined);
    return asAttributes({ serviceToken, userToken });
  }
}
