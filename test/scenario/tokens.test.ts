import { describe } from "vitest";
import { startMemorySite } from "../support/memory-site.ts";
import { noProsody, startProsody } from "../support/prosody.ts";
import { startRealSite } from "../support/real-site.ts";
import type { SiteOptions } from "../support/site.ts";
import { tokensOfAThing } from "./tokens.ts";

const asAccount: SiteOptions = { hosting: { provisioning: "account" } };

describe("tokens, in memory", () => {
  tokensOfAThing(() => startMemorySite());
});

describe("tokens of a server that is an account (P-3.1.1-13), in memory", () => {
  tokensOfAThing(() => startMemorySite(asAccount));
});

describe.skipIf(noProsody !== undefined)("tokens, on Prosody", () => {
  tokensOfAThing(() => startRealSite(startProsody()));
});

describe.skipIf(noProsody !== undefined)("tokens of a server that is an account (P-3.1.1-13), on Prosody", () => {
  tokensOfAThing(() => startRealSite(startProsody(), {}, asAccount));
});
