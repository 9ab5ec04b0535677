import { describe } from "vitest";
import { noEjabberd, startEjabberd } from "../support/ejabberd.ts";
import { startRealPairingSite, startTwoDomains } from "../support/pairing-site.ts";
import { noProsody, startProsody } from "../support/prosody.ts";
import { pairing } from "./pairing.ts";

describe("on the sandbox, the server on another domain than the Thing's", () => {
  pairing(startTwoDomains);
});

describe.skipIf(noProsody !== undefined)("on Prosody", () => {
  pairing(() => startRealPairingSite(startProsody()));
});

describe.skipIf(noEjabberd !== undefined)("on ejabberd", () => {
  pairing(() => startRealPairingSite(startEjabberd()));
});
