// Nothing is configured, and the thermometer of the examples lives its life.
import { describe, it } from "vitest";
import { networkAvailable } from "../support/network.ts";
import { findsIts } from "./scenarios.ts";

describe.skipIf(!networkAvailable)("with no server, registry or provisioning variable set", () => {
  it.each(["DHCP and multicast DNS", "DHCP alone", "multicast DNS alone"] as const)(
    "the thermometer is registered, and provisioned after the claim, by %s (D-3.3-1)",
    { timeout: 60_000 },
    findsIts,
  );
});
