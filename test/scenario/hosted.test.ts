import { describe } from "vitest";
import { noEjabberd, startEjabberd } from "../support/ejabberd.ts";
import { startMemorySite } from "../support/memory-site.ts";
import { noProsody, startProsody } from "../support/prosody.ts";
import { startRealSite } from "../support/real-site.ts";
import { startSandboxSite, type SiteOptions } from "../support/site.ts";
import { hostedAsAccounts } from "./hosted.ts";

const options: SiteOptions = { hosting: { registry: "account", provisioning: "account" }, retry: 300 };

describe("services that are accounts, in memory", () => {
  hostedAsAccounts(() => startMemorySite(options));
});

describe("services that are accounts, in memory, the Provisioning Server on another domain", () => {
  hostedAsAccounts(() => startMemorySite({ ...options, elsewhere: true }));
});

describe("services that are accounts, on the sandbox", () => {
  hostedAsAccounts(() => startSandboxSite(options));
});

describe("services that are accounts, on two federated sandboxes", () => {
  hostedAsAccounts(() => startSandboxSite({ ...options, elsewhere: true }));
});

describe.skipIf(noProsody !== undefined)("services that are accounts, on Prosody", () => {
  hostedAsAccounts(() => startRealSite(startProsody(), {}, options));
});

describe.skipIf(noEjabberd !== undefined)("services that are accounts, on ejabberd", () => {
  hostedAsAccounts(() => startRealSite(startEjabberd(), {}, options));
});
