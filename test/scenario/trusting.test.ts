import { describe } from "vitest";
import { noEjabberd, startEjabberd } from "../support/ejabberd.ts";
import { startRealPairingSite, startTwoDomains } from "../support/pairing-site.ts";
import { noProsody, startProsody } from "../support/prosody.ts";
import { trusting } from "./trusting.ts";

describe("on the sandbox, accounts on another domain than the Thing's", () => {
  trusting(startTwoDomains);
});

describe.skipIf(noProsody !== undefined)("on Prosody", () => {
  trusting(() => startRealPairingSite(startProsody()));
});

describe.skipIf(noEjabberd !== undefined)("on ejabberd", () => {
  trusting(() => startRealPairingSite(startEjabberd()));
});
