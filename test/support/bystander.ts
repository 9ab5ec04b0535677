import { ns } from "../../src/codec/namespaces.ts";
import { buildError, iq } from "../../src/codec/stanza.ts";
import { el, type XmlElement } from "../../src/codec/xml.ts";
import type { StanzaService } from "../../src/sandbox/stanza-service.ts";

/** A component that is neither Registry nor Provisioning Server, and has nothing to do with anybody. */
export class Bystander implements StanzaService {
  readonly name = "Bystander";
  readonly jid: string;

  constructor(jid: string) {
    this.jid = jid;
  }

  receive(stanza: XmlElement): readonly XmlElement[] {
    const { type = "", id = "", from: to } = stanza.attrs;
    if (!stanza.is("iq") || !["get", "set"].includes(type)) return [];
    const reply = { id, to, from: this.jid };
    if (stanza.getChild("query", ns.discoInfo)) {
      return [iq({ ...reply, type: "result" }, el("query", { xmlns: ns.discoInfo }))];
    }
    return [iq({ ...reply, type: "error" }, buildError({ condition: "service-unavailable", type: "cancel" }))];
  }

  onOutput(): void {
    // It says nothing by itself.
  }

  stop(): void {
    // It has no timers.
  }
}
