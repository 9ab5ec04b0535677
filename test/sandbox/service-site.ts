// A reference Provisioning Server and services that ask it about their users, stanza by stanza.
import { parseXml, type XmlElement } from "../../src/codec/xml.ts";
import type { ProvisioningServerOptions } from "../../src/sandbox/provisioning-server-options.ts";
import { makeKeyHolder, type KeyHolder } from "./key-holder.ts";
import { SERVER, TokenSite } from "./token-site.ts";

export const ENERGY = "energy@example.org/service";
export const WATER = "water@example.org/service";

/** Keys take time: these are used by all tests of a file. */
const holders = new Map<string, KeyHolder>();
const holderOf = (from: string): KeyHolder => {
  const known = holders.get(from) ?? makeKeyHolder({ name: from });
  holders.set(from, known);
  return known;
};

/** A site with two services, enrolled as `energy` and `water`, which answer the challenges of their tokens. */
export class ServiceSite extends TokenSite {
  readonly #tokens = new Map<string, string>();
  /** Whether services answer challenges by themselves. */
  answers = true;

  constructor(options: Partial<ProvisioningServerOptions> = {}, enrolled = true) {
    super(options);
    if (!enrolled) return;
    this.server.enrol(holderOf(ENERGY).pem, "energy");
    this.server.enrol(holderOf(WATER).pem, "water");
  }

  /** The service's token. */
  token(from = ENERGY): string {
    const known = this.#tokens.get(from) ?? this.tokenFor(holderOf(from), from);
    this.#tokens.set(from, known);
    return known;
  }

  fingerprint(from = ENERGY): string {
    return holderOf(from).fingerprint;
  }

  certificate(from = ENERGY): Uint8Array {
    return holderOf(from).der;
  }

  /** Asks, lets the service answer the challenge, and gives what came in the end, the answer last. */
  asked(from: string, content: string, type: "get" | "message" = "get"): readonly XmlElement[] {
    const now = type === "get" ? this.iq(from, content, "get", "26") : this.message(from, content);
    const sent = [...now, ...this.taken()];
    if (!this.answers) return sent;
    for (const stanza of sent) this.prove(stanza);
    return [...sent.filter((stanza) => !isChallenge(stanza)), ...this.taken()];
  }

  /** Answers a challenge, if a stanza is one, by the key of who was challenged or of somebody to whom that one passed it on. */
  prove(stanza: XmlElement, by = stanza.attrs["to"] ?? ""): void {
    if (isChallenge(stanza)) this.answer(stanza, holderOf(by));
  }

  message(from: string, content: string, type = ""): readonly XmlElement[] {
    const to = this.address;
    return this.server.receive(
      parseXml(`<message xmlns='jabber:client' ${type} from='${from}' to='${to}'>${content}</message>`),
    );
  }

  /** The child of the answer. */
  canAccess(credentials = "", from = ENERGY, serviceToken = this.token(from)): XmlElement | undefined {
    const attributes = `xmlns='urn:xmpp:iot:provisioning' serviceToken='${serviceToken}'`;
    const sent = this.asked(from, `<canAccess ${attributes}>${credentials}</canAccess>`);
    const answers = sent.filter((stanza) => stanza.getChild("clearCache") === undefined);
    // What else is sent because of it is for `cleared`.
    this.output.push(...sent.filter((stanza) => !answers.includes(stanza)));
    return answers.at(-1)?.getChildElements()[0];
  }

  /** A user whom the service may let in. */
  userToken(credentials = "", from = ENERGY): string {
    const answer = this.canAccess(credentials, from);
    const token = answer?.attrs["userToken"];
    if (token === undefined) throw new Error(`not let in: ${String(answer)}`);
    return token;
  }

  /** All that is sent because of it. */
  logIn(userToken: string, userName = "Kermit", from = ENERGY, serviceToken = this.token(from)): readonly XmlElement[] {
    return this.asked(from, userLoggedIn(serviceToken, userToken, userName), "message");
  }

  hasPrivilege(userToken: string, id: string, from = ENERGY, serviceToken = this.token(from)): string | undefined {
    const content = `<hasPrivilege xmlns='urn:xmpp:iot:provisioning' serviceToken='${serviceToken}' userToken='${userToken}' privilegeId='${id}'/>`;
    return this.asked(from, content).at(-1)?.getChildElements()[0]?.attrs["result"];
  }

  /** `-Sensors.Delete +Sensors`. */
  download(userToken: string, from = ENERGY, serviceToken = this.token(from)): string | undefined {
    return listIn(this.asked(from, downloadPrivileges(serviceToken, userToken)).at(-1));
  }

  /** Somebody acknowledges what they have been told until now. */
  acknowledge(from = ENERGY): void {
    this.cleared(this.asked(from, "<ping xmlns='urn:xmpp:ping'/>"));
  }

  /** Who is told to clear their caches, and does. */
  cleared(sent: readonly XmlElement[]): readonly string[] {
    return sent
      .filter((stanza) => stanza.getChild("clearCache") !== undefined)
      .map((stanza) => {
        const to = stanza.attrs["to"] ?? "";
        this.iq(to, "<clearCacheResponse xmlns='urn:xmpp:iot:provisioning'/>", "result", stanza.attrs["id"]);
        return to;
      });
  }
}

export function userLoggedIn(serviceToken: string, userToken: string, userName: string): string {
  return `<userLoggedIn xmlns='urn:xmpp:iot:provisioning' serviceToken='${serviceToken}' userToken='${userToken}' userName='${userName}'/>`;
}

export function downloadPrivileges(serviceToken: string, userToken: string): string {
  return `<downloadPrivileges xmlns='urn:xmpp:iot:provisioning' serviceToken='${serviceToken}' userToken='${userToken}'/>`;
}

/** The list in an answer. */
export function listIn(answer: XmlElement | undefined): string | undefined {
  const response = answer?.getChild("downloadPrivilegesResponse");
  return response
    ?.getChildElements()
    .map((entry) => `${entry.name === "include" ? "+" : "-"}${entry.attrs["id"] ?? ""}`)
    .join(" ");
}

export function isChallenge(stanza: XmlElement): boolean {
  return stanza.getChild("tokenChallenge") !== undefined;
}

export { SERVER };
