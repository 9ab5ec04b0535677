import { describe } from "vitest";
import { noProsody } from "../support/prosody.ts";
import { startProsodySite } from "../support/prosody-site.ts";
import { lifeOfAThing } from "./life.ts";
import { spoofing } from "./spoofing.ts";

describe.skipIf(noProsody !== undefined)("on Prosody", () => {
  lifeOfAThing(startProsodySite);
  spoofing(startProsodySite);
});
