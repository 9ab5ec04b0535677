// What Things and Registries say stands on a terminal, which obeys some characters.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { main } from "../../src/cli/main.ts";
import { jsonText } from "../../src/cli/printable.ts";
import { Refusal } from "../../src/core/refusal.ts";
import { startSandbox, type Sandbox, type SandboxUser } from "../../src/sandbox/sandbox.ts";
import { memoryStorage } from "../../src/storage/memory-storage.ts";
import { Thing } from "../../src/thing/thing.ts";
import { FakeIo } from "../support/fake-io.ts";
import { thingOptions } from "../support/site.ts";

const EVIL = "\u009b2J\u202eevil\u{e0041}";
const CLEAN = "?2J?evil?";
// What a terminal might obey: nothing of it may go out, but for the ends of lines.
const obeyed = /[\p{Cf}\p{Cs}\p{Zl}\p{Zp}]|(?!\n)\p{Cc}/u;

describe("a Thing with names that a terminal would obey", () => {
  let sandbox: Sandbox;
  let friend: SandboxUser;
  let thing: Thing;
  let bare: string;
  let folder: string;
  const files = new FakeIo();
  const run = async (...argv: readonly string[]): Promise<FakeIo> => {
    const io = new FakeIo();
    io.env = {
      THING_SERVICE: sandbox.service,
      THING_DOMAIN: sandbox.domain,
      THING_CA: `${folder}/ca.pem`,
      OWNER_USERNAME: friend.username,
      OWNER_PASSWORD: friend.password,
    };
    await main(argv, io);
    expect(`${io.text}${io.errors.join("\n")}`).not.toMatch(obeyed);
    return io;
  };

  beforeAll(async () => {
    sandbox = await startSandbox();
    folder = await files.makeFolder();
    await files.writeFile(`${folder}/ca.pem`, sandbox.ca);
    friend = sandbox.addUser("friend");
    const { service, domain, ca } = sandbox;
    const fields = [{ name: EVIL, type: "string" as const }];
    const sensor = { fields, read: () => [{ name: EVIL, value: EVIL }] };
    thing = new Thing(
      thingOptions(
        memoryStorage(),
        { service, domain },
        {
          tls: { ca },
          provisioning: [sandbox.provisioning.jid],
          sensor,
          control: [{ name: "Gate", type: "boolean", set: () => Promise.reject(new Refusal("conflict", EVIL)) }],
          nodes: [{ nodeId: EVIL, displayName: EVIL, sensor }],
        },
      ),
    );
    await thing.start();
    await thing.waitFor("online", { timeout: 10_000 });
    bare = thing.jid.split("/")[0] ?? "";
    sandbox.provisioning.setRules([{ jid: friend.jid, friend: true, read: true, control: true }]);
  }, 30_000);
  afterAll(async () => {
    await thing?.stop();
    await sandbox?.stop();
    await files.removeFolder(folder);
  });

  it("is read in clean lines, and by programs to the letter", async () => {
    expect((await run("read", bare)).text).toContain(`${CLEAN}: ${CLEAN}`);
    const read = JSON.parse((await run("read", bare, "--json")).text) as readonly object[];
    expect(read).toContainEqual(expect.objectContaining({ name: EVIL, value: EVIL }));
  });

  it("says in clean lines why it refuses", async () => {
    expect((await run("control", bare, "Gate=true")).errors.join("\n")).toContain(CLEAN);
  });

  it("shows its nodes in clean lines, and to programs to the letter", async () => {
    expect((await run("nodes", bare)).text).toContain(`${CLEAN}: ${CLEAN}`);
    const nodes = JSON.parse((await run("nodes", bare, "--json")).text) as readonly object[];
    expect(nodes).toContainEqual(expect.objectContaining({ node: { nodeId: EVIL }, displayName: EVIL }));
  });
});

describe("JSON for programs", () => {
  it("says the same as any other, with nothing that a terminal obeys", () => {
    const value = { [EVIL]: ["\u2028", "\u00ad", 'a"\\', "Å°é😀"] };
    const text = jsonText(value);
    expect(text).not.toMatch(obeyed);
    expect(text).toContain("Å°é😀");
    expect(JSON.parse(text)).toEqual(value);
  });
});
