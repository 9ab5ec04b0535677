import { describe } from "vitest";
import { startMemorySite } from "../support/memory-site.ts";
import { noProsody, startProsody } from "../support/prosody.ts";
import { startRealSite } from "../support/real-site.ts";
import { chainOfThings } from "./chain.ts";

describe("in memory", () => chainOfThings(startMemorySite, true));

describe.skipIf(noProsody !== undefined)("on Prosody", () => {
  chainOfThings(() => startRealSite(startProsody()), false);
});
