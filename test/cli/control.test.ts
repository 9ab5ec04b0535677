import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { main } from "../../src/cli/main.ts";
import { Refusal } from "../../src/core/refusal.ts";
import { startSandbox, type Sandbox, type SandboxUser } from "../../src/sandbox/sandbox.ts";
import { memoryStorage } from "../../src/storage/memory-storage.ts";
import { Thing } from "../../src/thing/thing.ts";
import { FakeIo } from "../support/fake-io.ts";
import { thingOptions } from "../support/site.ts";

describe("xmpp-thing control", () => {
  let sandbox: Sandbox;
  let owner: SandboxUser;
  let thing: Thing;
  let bare: string;
  let folder: string;
  const files = new FakeIo();
  const switches = new Map<string, boolean>();
  const as = (user: SandboxUser): FakeIo => {
    const io = new FakeIo();
    io.env = {
      THING_SERVICE: sandbox.service,
      THING_DOMAIN: sandbox.domain,
      THING_CA: `${folder}/ca.pem`,
      OWNER_USERNAME: user.username,
      OWNER_PASSWORD: user.password,
    };
    return io;
  };

  beforeAll(async () => {
    sandbox = await startSandbox();
    folder = await files.makeFolder();
    await files.writeFile(`${folder}/ca.pem`, sandbox.ca);
    owner = sandbox.addUser("owner");
    const { service, domain, ca } = sandbox;
    const control = ["LED", "Fan", "Living room"].map((name) => ({
      name,
      type: "boolean" as const,
      set: (value: boolean) => void switches.set(name, value),
    }));
    const locked = () => Promise.reject(new Refusal("conflict", "Locked by the key switch."));
    thing = new Thing(
      thingOptions(
        memoryStorage(),
        { service, domain },
        {
          tls: { ca },
          provisioning: [sandbox.provisioning.jid],
          control: [...control, { name: "Gate", type: "boolean", set: locked }],
        },
      ),
    );
    await thing.start();
    await thing.waitFor("online", { timeout: 10_000 });
    bare = thing.jid.split("/")[0] ?? "";
    sandbox.provisioning.allowFriend(bare, owner.jid);
  }, 30_000);
  afterAll(async () => {
    await thing?.stop();
    await sandbox?.stop();
    await files.removeFolder(folder);
  });
  const allow = async (control: boolean | { parameters: string[] }): Promise<void> => {
    sandbox.provisioning.allowControl(bare, owner.jid, control);
    await expect.poll(() => sandbox.provisioning.unacknowledged, { timeout: 5_000 }).toEqual([]);
  };

  it("sets what it is told to, at the bare address too, for people and for programs", async () => {
    await allow(true);
    const people = as(owner);
    expect(await main(["control", bare, "LED=true", "Living room=true"], people)).toBe(0);
    expect([people.lines, people.errors]).toEqual([["LED: true", "Living room: true"], []]);
    expect([...switches]).toEqual([
      ["LED", true],
      ["Living room", true],
    ]);
    const programs = as(owner);
    expect(await main(["control", thing.jid, "LED=false", "--json"], programs)).toBe(0);
    expect(JSON.parse(programs.text)).toEqual({ set: ["LED"], notAllowed: [] });
    expect(switches.get("LED")).toBe(false);
  });

  it("tells what it was not allowed to set: 1", async () => {
    await allow({ parameters: ["LED"] });
    const io = as(owner);
    expect(await main(["control", thing.jid, "Fan=true", "LED=true"], io)).toBe(1);
    expect([io.lines, io.errors]).toEqual([["LED: true"], ["You may not set: Fan"]]);
    expect(switches.has("Fan")).toBe(false);
  });

  it("that is refused ends with 1, and says what to do", async () => {
    await allow(false);
    const io = as(owner);
    expect(await main(["control", thing.jid, "LED=true"], io)).toBe(1);
    expect(io.errors.join("\n")).toContain("you may not control this Thing: claim it first");
    expect(io.errors.join("\n")).toContain("names count upper and lower case");
  });

  it("of a parameter that is not there, or that the device refuses, says which, and why: 1", async () => {
    await allow(true);
    const io = as(owner);
    expect(await main(["control", thing.jid, "Lamp=true"], io)).toBe(1);
    expect(io.errors.join("\n")).toContain("item-not-found: No such parameter.\nLamp: No such parameter.");
    const locked = as(owner);
    expect(await main(["control", thing.jid, "Gate=true"], locked)).toBe(1);
    expect(locked.errors.join("\n")).toContain("Gate: Locked by the key switch.");
  });

  it("of a Thing that is not there gives no answer, and says that it is not known whether it was set: 3", async () => {
    const io = as(owner);
    const absent = sandbox.addUser("absent");
    expect(await main(["control", absent.jid, "LED=true", "--timeout", "1"], io)).toBe(3);
    expect(io.errors.join("\n")).toContain("whether it was set is not known");
  });

  it("of a client that knows no control is an error like any other: 1", async () => {
    const io = as(owner);
    expect(await main(["control", `${bare}/elsewhere`, "LED=true"], io)).toBe(1);
    expect(io.errors.join("\n")).toContain(
      "service-unavailable: it is offline, or no Thing, or one of which nothing can",
    );
  });
});
