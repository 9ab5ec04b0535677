// What the Thing says it can do (XEP-0030; XEP-0323 4, XEP-0325 4).
import { ns } from "../codec/namespaces.ts";
import { buildInfo } from "../codec/disco.ts";
import type { Router } from "../channel/router.ts";

/** Answers disco#info. Never with the provisioning feature: others would take the Thing for a provisioning server (P-E26). */
export function answerDisco(router: Router, can: { readonly sense: boolean; readonly control: boolean }): void {
  const features: string[] = [ns.discoInfo, ns.ping];
  if (can.sense) features.push(ns.sensorData);
  if (can.control) features.push(ns.control);
  const identities = [{ category: "client", type: "bot" }];
  router.onIq(ns.discoInfo, "query", () => ({ payload: buildInfo({ identities, features }) }));
}
