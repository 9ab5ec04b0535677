import { describe } from "vitest";
import { noEjabberd, startEjabberd } from "../support/ejabberd.ts";
import { startRealSite } from "../support/real-site.ts";
import { lifeOfAThing } from "./life.ts";
import { spoofingNodes } from "./spoofing-nodes.ts";
import { spoofing } from "./spoofing.ts";

describe.skipIf(noEjabberd !== undefined)("on ejabberd", () => {
  lifeOfAThing(() => startRealSite(startEjabberd()));
  spoofing(() => startRealSite(startEjabberd()));
  spoofingNodes(() => startRealSite(startEjabberd()));
});
