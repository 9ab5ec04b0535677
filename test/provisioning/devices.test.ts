import { describe, expect, test } from "vitest";
import { DeviceIndex, nodeOf, type Device } from "../../src/provisioning/devices.ts";

const thing: Device = {};
const meter: Device = { node: { nodeId: "meter", sourceId: "house" } };
const other: Device = { node: { nodeId: "meter", sourceId: "garage", cacheType: "power" } };
const below: Device = { node: { nodeId: "phase 1", sourceId: "house" }, parentId: "meter" };
const all = [thing, meter, other, below];

describe("the devices behind one address", () => {
  test.each([
    ["of an empty id: the Thing itself", { nodeId: "" }, [thing]],
    ["without source: all of that id (P-5.5-3)", { nodeId: "meter" }, [meter, other]],
    ["with a source: those of the source", { nodeId: "meter", sourceId: "garage" }, [other]],
    ["with a kind of cache: those of the kind", { nodeId: "meter", cacheType: "power" }, [other]],
    ["of another source: nothing", { nodeId: "meter", sourceId: "cellar" }, []],
    ["of a source that only other ids have: nothing", { nodeId: "phase 1", sourceId: "garage" }, []],
    ["of an unknown id: nothing", { nodeId: "__proto__" }, []],
  ])("a reference %s", (_, reference, expected) => {
    expect(new DeviceIndex(all).fitting(reference)).toEqual(expected);
  });

  test("the nodes below a node are those of the same source that name it", () => {
    const devices = new DeviceIndex(all);
    expect([meter, other, below, thing].map((one) => devices.childrenOf(one))).toEqual([[below], [], [], []]);
  });

  test("one that was taken out is found no more; the others are", () => {
    const devices = new DeviceIndex(all);
    devices.delete(meter);
    expect(devices.fitting({ nodeId: "meter" })).toEqual([other]);
    devices.delete(below);
    devices.delete(below);
    expect([devices.fitting({ nodeId: "phase 1" }), devices.childrenOf(meter)]).toEqual([[], []]);
  });

  test("is named on the wire by its node; the Thing itself by an empty id", () => {
    expect([nodeOf(thing), nodeOf(meter)]).toEqual([{ nodeId: "" }, { nodeId: "meter", sourceId: "house" }]);
  });
});
