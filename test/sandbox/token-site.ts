// A reference Provisioning Server, and what Things, services and users say to it, stanza by stanza.
import { parseXml, type XmlElement } from "../../src/codec/xml.ts";
import type { LogFields, Logger } from "../../src/core/logger.ts";
import type { ProvisioningServerOptions } from "../../src/sandbox/provisioning-server-options.ts";
import { ReferenceProvisioningServer } from "../../src/sandbox/provisioning-server.ts";
import { SeededRandom } from "../../src/sandbox/seeded-random.ts";
import { SimulatedClock } from "../../src/sandbox/simulated-clock.ts";
import type { KeyHolder } from "./key-holder.ts";

export const SERVER = "provisioning.example.org";
export const THING = "thing@example.org/device";
export const CALLER = "caller@example.org";

/** What is asked about a caller. */
export interface Asking {
  /** Who asks. Default {@link THING}. */
  readonly from?: string;
  /** Attributes beside `jid`. */
  readonly attributes?: string;
  /** Children. */
  readonly lists?: string;
  /** Default `canRead`. */
  readonly name?: string;
  readonly id?: string;
  /** About whom. Default {@link CALLER}. */
  readonly jid?: string;
}

/** The server with its surroundings. */
export class TokenSite {
  readonly clock = new SimulatedClock();
  readonly server: ReferenceProvisioningServer;
  readonly output: XmlElement[] = [];
  readonly warnings: string[] = [];
  readonly address: string;

  constructor(options: Partial<ProvisioningServerOptions> = {}) {
    const ignore = (): void => undefined;
    const warn = (text: string, fields?: LogFields): void =>
      void this.warnings.push(`${text} ${JSON.stringify(fields)}`);
    const logger: Logger = { debug: ignore, info: ignore, warn, error: warn };
    this.address = options.jid ?? SERVER;
    this.server = new ReferenceProvisioningServer({
      jid: this.address,
      random: new SeededRandom("tokens"),
      clock: this.clock,
      logger,
      ...options,
    });
    this.server.onOutput((stanzas) => this.output.push(...stanzas));
  }

  /** What the server sent by itself since the last look. */
  taken(): readonly XmlElement[] {
    return this.output.splice(0);
  }

  /** Gives the server an IQ. */
  iq(from: string, content: string, type = "get", id = "1"): readonly XmlElement[] {
    return this.server.receive(
      parseXml(
        `<iq xmlns='jabber:client' type='${type}' from='${from}' to='${this.address}' id='${id}'>${content}</iq>`,
      ),
    );
  }

  presence(from: string, type = ""): readonly XmlElement[] {
    return this.server.receive(
      parseXml(`<presence xmlns='jabber:client' from='${from}' to='${this.address}'${type && ` type='${type}'`}/>`),
    );
  }

  /** Asks for a token: what comes back, behind a `clearCache` that is due. */
  getToken(certificate: string, from = THING): XmlElement | undefined {
    return this.iq(from, `<getToken xmlns='urn:xmpp:iot:provisioning'>${certificate}</getToken>`).at(-1);
  }

  /** Answers a challenge: what comes back. */
  respond(seqnr: string, response: string, from = THING): XmlElement | undefined {
    const xmlns = "urn:xmpp:iot:provisioning";
    return this.iq(
      from,
      `<getTokenChallengeResponse xmlns='${xmlns}' seqnr='${seqnr}'>${response}</getTokenChallengeResponse>`,
    ).at(-1);
  }

  /** The whole exchange: the token. */
  tokenFor(holder: KeyHolder, from = THING, padding: "oaep" | "pkcs1" = "oaep"): string {
    const challenge = this.getToken(holder.base64, from)?.getChild("getTokenChallenge");
    const answer = this.respond(challenge?.attrs["seqnr"] ?? "", holder.open(challenge?.text() ?? "", padding), from);
    const token = answer?.getChild("getTokenResponse")?.attrs["token"];
    if (token === undefined) throw new Error(`no token: ${String(answer)}`);
    return token;
  }

  /** Asks whether somebody may read, or control: what comes back at once. */
  ask(asking: Asking = {}): readonly XmlElement[] {
    const { from = THING, attributes = "", lists = "", name = "canRead", id = "q", jid = CALLER } = asking;
    const xmlns = "urn:xmpp:iot:provisioning";
    return this.iq(from, `<${name} xmlns='${xmlns}' jid='${jid}' ${attributes}>${lists}</${name}>`, "get", id);
  }

  /** Answers a `tokenChallenge` as the holder of the key does. */
  answer(
    challenge: XmlElement | undefined,
    holder: KeyHolder,
    padding: "oaep" | "pkcs1" = "oaep",
    from?: string,
  ): void {
    const opened = holder.open(challenge?.getChild("tokenChallenge")?.text() ?? "", padding);
    this.answerWith(challenge, opened, from);
  }

  /** Answers a `tokenChallenge` by something. */
  answerWith(challenge: XmlElement | undefined, response: string, from = challenge?.attrs["to"] ?? ""): void {
    const content = `<tokenChallengeResponse xmlns='urn:xmpp:iot:provisioning'>${response}</tokenChallengeResponse>`;
    this.iq(from, content, "result", challenge?.attrs["id"]);
  }

  /** Refuses a `tokenChallenge`. */
  refuse(challenge: XmlElement | undefined, condition = "forbidden", from = challenge?.attrs["to"] ?? ""): void {
    const content = `<error type='cancel'><${condition} xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>`;
    this.iq(from, content, "error", challenge?.attrs["id"]);
  }
}

/** The kind of error in an answer: "error modify bad-request". */
export function refusal(sent: XmlElement | undefined): string {
  const error = sent?.getChild("error");
  return `${sent?.attrs["type"] ?? ""} ${error?.attrs["type"] ?? ""} ${error?.getChildElements()[0]?.name ?? ""}`;
}

/** The `result` of an answer to `canRead` or `canControl`. */
export function verdict(sent: XmlElement | undefined): string | undefined {
  return sent?.getChildElements()[0]?.attrs["result"];
}
