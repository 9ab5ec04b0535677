import { describe } from "vitest";
import { noEjabberd, startEjabberd } from "../support/ejabberd.ts";
import { startMemorySite } from "../support/memory-site.ts";
import { noProsody, startProsody } from "../support/prosody.ts";
import { startRealSite } from "../support/real-site.ts";
import { startSandboxSite, type SiteOptions } from "../support/site.ts";
import { findingServices } from "./services.ts";

const hosted = (how: "component" | "account"): SiteOptions => ({ hosting: { registry: how, provisioning: how } });

describe("a Thing finds its services, in memory", () => {
  findingServices((how) => startMemorySite(hosted(how)));
});

describe("a Thing finds its services, on the sandbox", () => {
  findingServices((how) => startSandboxSite(hosted(how)));
});

describe.skipIf(noProsody !== undefined)("a Thing finds its services, on Prosody", () => {
  findingServices((how) => startRealSite(startProsody(), {}, hosted(how)));
});

describe.skipIf(noEjabberd !== undefined)("a Thing finds its services, on ejabberd", () => {
  findingServices((how) => startRealSite(startEjabberd(), {}, hosted(how)));
});
