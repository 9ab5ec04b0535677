// The scenarios in network namespaces, ten times each, with the waits and cuts of real life.
import { describe, it } from "vitest";
import {
  accountsAreNamed,
  findsIts,
  liarBeside,
  liarIsNotHeard,
  linkIsCut,
  nameGetsAnotherAddress,
  serverMoves,
  startsBeforeItsServer,
} from "../network/scenarios.ts";
import { networkAvailable } from "../support/network.ts";

const TIMES = 10;
const MINUTE = 60_000;

const scenarios: Readonly<Record<string, (round: number) => Promise<void>>> = {
  "finds its server by DHCP and multicast DNS": () => findsIts("DHCP and multicast DNS"),
  "finds its server by DHCP alone": () => findsIts("DHCP alone"),
  "finds its server by multicast DNS alone": () => findsIts("multicast DNS alone"),
  "starts before its server, which comes while it searches": () => startsBeforeItsServer("multicast DNS alone", false),
  "starts before its server, which comes when a search was in vain": (round) =>
    startsBeforeItsServer(round % 2 === 0 ? "DHCP alone" : "multicast DNS alone", true),
  "has a server that moves to another address": (round) => serverMoves(`10.77.0.${200 + round}`),
  "was told a domain whose name gets another address": (round) => nameGetsAnotherAddress(`10.77.0.${200 + round}`),
  "has its link cut for a minute in the middle of a readout": (round) =>
    linkIsCut({ how: round % 2 === 0 ? "down" : "swallow", ms: MINUTE, noticed: true }),
  "has a liar beside its server": (round) =>
    liarBeside({
      by: round % 2 === 0 ? "DHCP and multicast DNS" : "multicast DNS alone",
      flood: round % 3 !== 0,
      env: round % 5 === 4 ? { THING_DOMAIN: "pronto.example" } : {},
    }),
  "is told of accounts on its server as Registry and Provisioning Server": () => accountsAreNamed(),
  "was told where its server is, and has a liar beside it": () => liarIsNotHeard(),
};

describe.skipIf(!networkAvailable)("a Thing with nothing configured", () => {
  for (const [name, scenario] of Object.entries(scenarios)) {
    it(`${name}, ${TIMES} times`, { timeout: TIMES * 5 * MINUTE }, async () => {
      for (let round = 0; round < TIMES; round++) {
        try {
          await scenario(round);
        } catch (error) {
          throw new Error(`round ${round}`, { cause: error });
        }
      }
    });
  }
});
