import { fileStorage } from "../storage/file-storage.ts";
import { FolderView } from "../storage/folder-view.ts";
import { resetState } from "../thing/factory-reset.ts";
import { inspectFolder, inspectStorage, refuseNewer, type Inspection } from "../thing/inspect.ts";
import { UsageError, parse } from "./args.ts";
import { exitCode } from "./io.ts";
import type { Command } from "./command.ts";
import { printable } from "./printable.ts";
import { nothingIn } from "./status.ts";

/** `xmpp-thing reset --state DIR`: makes a folder's Thing a new one. */
export const reset: Command = {
  summary: "Make a Thing a new one: factory reset, while it is off",
  help: `Usage: xmpp-thing reset --state DIR [OPTIONS]

Forgets who the Thing is: account, KEY, owner, trust, rights, tokens, the certificate it has made. The
next start makes a new one, as a copied SD card needs. The Thing must be off. What else is in the
folder stays.

  --state DIR       the folder given to fileStorage
  --yes             do not ask
  --help

A Thing that is online has thing.reset() instead, which also tells the Registry.`,
  async run(argv, io) {
    const { values, flags } = parse(argv, { state: { type: "string" }, yes: { type: "boolean" } } as const, []);
    const folder = values.get("state");
    // Not by THING_STATE: what cannot be undone is named where it is typed.
    if (folder === undefined || folder === "") throw new UsageError("give --state DIR");
    // Before the folder is taken, which would leave a lock file in one of something else.
    const found = await inspectFolder(folder);
    const nothing = nothingIn(found);
    if (nothing !== undefined) {
      io.err(nothing);
      return exitCode.nothing;
    }
    if (!flags.has("yes") && !io.terminal) throw new UsageError("give --yes: there is no terminal to ask");
    const storage = fileStorage(folder);
    await storage.open(); // refuses while a Thing runs on it
    try {
      await refuseNewer(storage); // only that version knows what all there is to forget
      const { identity } = await inspectStorage(storage);
      if (!flags.has("yes")) {
        for (const line of losses(identity)) io.out(printable(line));
        const answer = (await io.ask("Type yes to go on: ")).trim();
        if (answer !== "yes") {
          const meant = /^y/i.test(answer) ? " Only the whole word counts, in small letters: yes" : "";
          io.err(`Nothing was changed.${meant}`);
          return exitCode.failed;
        }
      }
      await resetState(storage, await new FolderView(folder).names());
      io.out(printable(`Reset: the next start on ${JSON.stringify(found.folder)} makes a new Thing.`));
      for (const line of remains(identity)) io.out(printable(line));
      return exitCode.done;
    } finally {
      await storage.close();
    }
  },
};

type IdentityPart = Inspection["identity"];

function losses(identity: IdentityPart): readonly string[] {
  if (identity.is !== "read") return ["Who this Thing is cannot be read. All that is left of it is removed."];
  const { jid, ownership } = identity.value;
  return [
    jid === undefined ? "This Thing has no account yet." : `This Thing is ${jid}.`,
    ownership.is === "claimed"
      ? `It belongs to ${ownership.owner}, who loses it and has to claim it again, under a new address.`
      : `It has no owner${ownership.is === "selfOwned" ? " but itself" : ""}.`,
    "Its account, KEY, owner, trust, rights, tokens and own certificate are forgotten. This cannot be undone.",
  ];
}

/** What stays elsewhere: a Thing that is off can tell nobody. */
function remains(identity: IdentityPart): readonly string[] {
  if (identity.is !== "read") return [];
  const { jid, pending, elsewhere, ownership } = identity.value;
  const isRemoved = "listed" in ownership && !ownership.listed;
  const known = ownership.is === "unregistered" ? ownership.leaving?.registry : ownership.registry;
  const registry = isRemoved ? undefined : known;
  const made = [...(jid === undefined || pending ? [] : [jid]), ...elsewhere];
  return [
    ...made.flatMap((account) => {
      const [name = "", domain = ""] = account.split("@");
      return [
        `On the server the account ${account} remains. If another device uses it, as the original of a copied card does, leave it.`,
        `Otherwise have it removed: prosodyctl deluser ${account}, or ejabberdctl unregister ${name} ${domain}.`,
      ];
    }),
    ...(registry === undefined
      ? []
      : [`The Registry ${registry} still knows it under that address, until its owner or operator removes it there.`]),
  ];
}
