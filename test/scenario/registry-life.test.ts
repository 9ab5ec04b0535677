import { describe } from "vitest";
import { noEjabberd, startEjabberd } from "../support/ejabberd.ts";
import { startMemorySite } from "../support/memory-site.ts";
import { noProsody, startProsody } from "../support/prosody.ts";
import { startRealSite } from "../support/real-site.ts";
import { startSandboxSite, type SiteOptions } from "../support/site.ts";
import { lifeAtARegistry, type Subject } from "./registry-life.ts";

// The Provisioning Server is an account that nobody names: it is not found.
const component: SiteOptions = { hosting: { registry: "component", provisioning: "account" } };
const account: SiteOptions = { hosting: { registry: "account", provisioning: "account" } };

const subjects: readonly Subject[] = ["a Thing", "a node behind a concentrator"];

for (const [how, options] of Object.entries({ "a component": component, "an account": account })) {
  for (const subject of subjects) {
    describe(`with a Registry that is ${how}, in memory`, () => {
      lifeAtARegistry(subject, () => startMemorySite(options));
    });

    describe(`with a Registry that is ${how}, on the sandbox`, () => {
      lifeAtARegistry(subject, () => startSandboxSite(options));
    });

    describe.skipIf(noProsody !== undefined)(`with a Registry that is ${how}, on Prosody`, () => {
      lifeAtARegistry(subject, () => startRealSite(startProsody(), {}, options));
    });

    describe.skipIf(noEjabberd !== undefined)(`with a Registry that is ${how}, on ejabberd`, () => {
      lifeAtARegistry(subject, () => startRealSite(startEjabberd(), {}, options));
    });
  }
}
