// What the Thing says it can do (XEP-0030; XEP-0115; XEP-0323 4, XEP-0325 4, XEP-0326 4).
import { Refusal } from "../core/refusal.ts";
import { buildCaps, capsNode, capsOf } from "../codec/caps.ts";
import { buildInfo, type DiscoInfo } from "../codec/disco.ts";
import { ns } from "../codec/namespaces.ts";
import { nonEmpty, type XmlElement } from "../codec/xml.ts";
import type { Router } from "../channel/router.ts";
import type { ThingSettings } from "./options.ts";

/** The software, for XEP-0115: a URI, at which nothing need be. */
const NODE = "xmpp-thing:thing";

/** What a Thing can do besides being there. */
export interface Abilities {
  /** It has a sensor. */
  readonly sense: boolean;
  /** It has control parameters. */
  readonly control: boolean;
  /** It has nodes behind it, or may have. Left out: it has none. */
  readonly concentrate?: boolean;
}

/** What a Thing with these options can do. */
export function abilitiesOf({
  sensor,
  control,
  nodes,
}: Pick<ThingSettings, "sensor" | "control" | "nodes">): Abilities {
  // Nodes come and go; what the presence says stays.
  const concentrate = nodes !== undefined;
  return { sense: sensor !== undefined || concentrate, control: control.length > 0 || concentrate, concentrate };
}

/** Never with the provisioning feature: others would take the Thing for a provisioning server (P-E26). */
function infoOf(can: Abilities): DiscoInfo {
  const features: string[] = [ns.discoInfo, ns.caps, ns.ping];
  if (can.sense) features.push(ns.sensorData);
  if (can.control) features.push(ns.control);
  if (can.concentrate === true) features.push(ns.concentrators);
  return { identities: [{ category: "client", type: "bot" }], features };
}

/** What the Thing's presence says of what it can do (XEP-0115 4), so that nobody need ask. */
export function ownCaps(can: Abilities): XmlElement {
  return buildCaps(capsOf(infoOf(can), NODE));
}

/** Answers disco#info, also about the node that its presence names (XEP-0115 6.2). */
export function answerDisco(router: Router, can: Abilities): void {
  const info = infoOf(can);
  const known = capsNode(capsOf(info, NODE));
  router.onIq(ns.discoInfo, "query", ({ payload }) => {
    const node = nonEmpty(payload, "node");
    if (node !== undefined && node !== known) throw new Refusal("item-not-found"); // XEP-0030 3.2
    return { payload: buildInfo(info, node) };
  });
}
