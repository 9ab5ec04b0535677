// The order of days, times and spans of XML Schema, and where there is none.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { compareXs, type OrderedKind } from "../../src/codec/xs-order.ts";
import { written } from "./arbitraries.ts";

describe("the order of two values", () => {
  it.each<[OrderedKind, string, string, number | undefined]>([
    ["date", "2013-05-01", "2013-05-02", -1],
    ["date", "2013-05-01", "2013-05-01", 0],
    ["date", "2014-01-01", "2013-12-31", 1],
    ["date", "0099-01-01", "1999-01-01", -1],
    ["date", "2013-05-01Z", "2013-05-01+02:00", 1],
    ["date", "2013-05-01-02:00", "2013-05-01Z", 1],
    ["date", "2013-05-01", "2013-05-01Z", undefined],
    ["date", "2013-05-01Z", "2013-05-01", undefined],
    ["date", "2013-05-02", "2013-05-01Z", 1],
    ["date", "2013-05-01", "2013-05-02Z", -1],
    ["time", "08:00:00", "08:00:00.5", -1],
    ["time", "24:00:00", "23:59:59", 1],
    ["time", "08:00:00+02:00", "06:00:00Z", 0],
    ["time", "08:00:00+05:30", "02:30:00Z", 0],
    ["time", "08:00:00", "08:00:00Z", undefined],
    ["time", "23:00:00", "08:59:59Z", 1],
    ["duration", "PT60S", "PT1M", 0],
    ["duration", "P1D", "PT24H", 0],
    ["duration", "P12M", "P1Y", 0],
    ["duration", "PT1.5S", "PT1S", 1],
    ["duration", "-PT1S", "PT0S", -1],
    ["duration", "-P1M", "-P2M", 1],
    // XML Schema part 2, 3.2.6.2: the table of what can be told.
    ["duration", "P1Y", "P364D", 1],
    ["duration", "P1Y", "P365D", undefined],
    ["duration", "P1Y", "P366D", undefined],
    ["duration", "P1Y", "P367D", -1],
    ["duration", "P1M", "P27D", 1],
    ["duration", "P1M", "P28D", undefined],
    ["duration", "P1M", "P30D", undefined],
    ["duration", "P1M", "P31D", undefined],
    ["duration", "P1M", "P32D", -1],
    ["duration", "P5M", "P149D", 1],
    ["duration", "P5M", "P150D", undefined],
    ["duration", "P5M", "P153D", undefined],
    ["duration", "P5M", "P154D", -1],
    // No calendar reaches so far.
    ["duration", "P999999999Y", "P1Y", undefined],
    [`duration`, `P${"9".repeat(400)}D`, `P${"9".repeat(400)}D`, undefined],
  ])("of type %s: %s and %s", (kind, one, other, order) => {
    expect(compareXs(kind, one, other)).toBe(order);
  });

  it.each<OrderedKind>(["date", "time", "duration"])(
    "of type %s is the other way round the other way round",
    (kind) => {
      fc.assert(
        fc.property(written[kind], written[kind], (one, other) => {
          const order = compareXs(kind, one, other);
          // -0 is 0 here.
          expect(compareXs(kind, other, one)).toBe(order === undefined ? undefined : 0 - order);
          expect(compareXs(kind, one, one)).toBe(0);
        }),
      );
    },
  );
});
