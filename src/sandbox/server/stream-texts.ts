// RFC 6120 sections 4 to 7: what a server writes that is no stanza.
import { ns } from "../../codec/namespaces.ts";
import { el, type XmlElement } from "../../codec/xml.ts";
import { mechanismsFor, type Channel, type SaslCondition } from "./sasl.ts";
import type { StreamFault } from "./stream-fault.ts";

/** The namespaces of the stream itself. */
export const streamNs = {
  stream: "http://etherx.jabber.org/streams",
  errors: "urn:ietf:params:xml:ns:xmpp-streams",
  tls: "urn:ietf:params:xml:ns:xmpp-tls",
  sasl: "urn:ietf:params:xml:ns:xmpp-sasl",
  /** XEP-0440 */
  channelBinding: "urn:xmpp:sasl-cb:0",
  bind: "urn:ietf:params:xml:ns:xmpp-bind",
  /** RFC 3921 section 3 */
  session: "urn:ietf:params:xml:ns:xmpp-session",
  /** XEP-0198 */
  management: "urn:xmpp:sm:3",
} as const;

/** The opening of a stream (section 4.7). `to` is whom the client said it is (section 4.7.2). */
export function header(attributes: { id: string; from: string; to?: string | undefined }): string {
  const root = el("stream:stream", {
    xmlns: ns.client,
    "xmlns:stream": streamNs.stream,
    ...attributes,
    version: "1.0",
    "xml:lang": "en",
  });
  return `<?xml version="1.0"?>${root.toString().replace(/\/>$/, ">")}`;
}

/** The end of a stream. */
export const FOOTER = "</stream:stream>";

/** A stream error (section 4.9). */
export function streamError(fault: StreamFault): string {
  const text = fault.text === "" ? undefined : el("text", { xmlns: streamNs.errors, "xml:lang": "en" }, fault.text);
  return el("stream:error", {}, el(fault.condition, { xmlns: streamNs.errors }), text, fault.detail).toString();
}

/** What comes next, before TLS (section 5.3.1), before authentication (section 6.3.1), after it (section 7.3). */
export function features(phase: "plain" | "secure" | "authenticated", channel: Channel): string {
  const bindings = [...channel.keys()].map((type) => el("channel-binding", { type }));
  const offered: Record<typeof phase, readonly XmlElement[]> = {
    plain: [el("starttls", { xmlns: streamNs.tls }, el("required"))],
    secure: [
      el("mechanisms", { xmlns: streamNs.sasl }, ...mechanismsFor(channel).map((name) => el("mechanism", {}, name))),
      ...(bindings.length === 0 ? [] : [el("sasl-channel-binding", { xmlns: streamNs.channelBinding }, ...bindings)]),
      el("register", { xmlns: ns.registerFeature }), // XEP-0077 section 8
    ],
    authenticated: [
      el("bind", { xmlns: streamNs.bind }),
      el("session", { xmlns: streamNs.session }, el("optional")),
      el("sm", { xmlns: streamNs.management }),
    ],
  };
  return el("stream:features", {}, ...offered[phase]).toString();
}

/** A message of the SASL exchange; its data travels in base64 (section 6.4). */
export function saslData(name: "challenge" | "success", data: string): string {
  return el(name, { xmlns: streamNs.sasl }, data === "" ? undefined : Buffer.from(data).toString("base64")).toString();
}

/** A failed try (section 6.4.5). */
export function saslFailure(condition: SaslCondition): string {
  return el("failure", { xmlns: streamNs.sasl }, el(condition)).toString();
}

/** The message in a SASL element, `undefined` if it is not base64. `=` stands for an empty one (section 6.4.2). */
export function readSasl(element: XmlElement): string | undefined {
  const text = element.text().trim();
  if (text === "=") return "";
  if (text.length % 4 !== 0 || !/^[A-Za-z0-9+/]*={0,2}$/.test(text)) return undefined;
  return Buffer.from(text, "base64").toString("utf8");
}
