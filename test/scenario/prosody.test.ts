import { describe } from "vitest";
import { noProsody, startProsody } from "../support/prosody.ts";
import { startRealSite } from "../support/real-site.ts";
import { lifeOfAThing } from "./life.ts";
import { spoofingNodes } from "./spoofing-nodes.ts";
import { spoofing } from "./spoofing.ts";

describe.skipIf(noProsody !== undefined)("on Prosody", () => {
  lifeOfAThing(() => startRealSite(startProsody()));
  spoofing(() => startRealSite(startProsody()));
  spoofingNodes(() => startRealSite(startProsody()));
});
