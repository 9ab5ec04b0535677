// Somebody on the network who lies.
import { describe, it } from "vitest";
import { networkAvailable } from "../support/network.ts";
import { accountsAreNamed, liarBeside, liarIsNotHeard } from "./scenarios.ts";

// On the true server are accounts that he names as Registry and as Provisioning Server: they get nothing either.
describe.skipIf(!networkAvailable)("somebody who lies by multicast DNS and DHCP", () => {
  it(
    "gets no credential, no account, no KEY and no trust from a Thing with nothing configured",
    { timeout: 120_000 },
    () => liarBeside({ by: "DHCP and multicast DNS", flood: true }),
  );

  it("is not even asked by a Thing that was told where its server is", { timeout: 60_000 }, liarIsNotHeard);

  it(
    "who announces the true server with accounts on it has them get no registration, no KEY and no trust",
    { timeout: 60_000 },
    accountsAreNamed,
  );
});
