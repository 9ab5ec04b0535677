// What a home network does to a Thing. `npm run soak` does it ten times, with the waits of a device.
import { describe, it } from "vitest";
import { networkAvailable } from "../support/network.ts";
import { linkIsCut, nameGetsAnotherAddress, serverMoves, startsBeforeItsServer } from "./scenarios.ts";

describe.skipIf(!networkAvailable)("with nothing configured, a Thing", () => {
  it("that starts before its server finds it when it comes", { timeout: 90_000 }, () =>
    startsBeforeItsServer("multicast DNS alone", false),
  );

  it("finds its server again at another address, and is whose it was", { timeout: 120_000 }, () => serverMoves());

  it("that was told a domain goes where its name leads today", { timeout: 120_000 }, () => nameGetsAnotherAddress());

  it(
    "whose link is cut in the middle of a readout is back, and sends a readout whole or not at all",
    { timeout: 120_000 },
    () =>
      // The link is asked sooner than by default, so that a cut of seconds is noticed as one of a minute is.
      linkIsCut({ how: "swallow", ms: 6_000, keepalive: { idle: 1_000, patience: 1_000 }, noticed: true }),
  );
});
