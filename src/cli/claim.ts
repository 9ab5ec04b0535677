import { parseClaimText } from "../codec/claim-text.ts";
import { ProtocolError } from "../core/errors.ts";
import { OwnerClient } from "../owner/owner-client.ts";
import { accountHelp, accountOptions, connectAs, timeoutOf } from "./account.ts";
import { UsageError, parse } from "./args.ts";
import { exitCode } from "./io.ts";
import type { Command } from "./command.ts";
import { thingInWords } from "./named-thing.ts";
import { jsonText, printable } from "./printable.ts";
import { registryOf, registryOptions } from "./registry-option.ts";

/** `xmpp-thing claim TEXT` (XEP-0347 3.9). */
export const claim: Command = {
  summary: "Claim a Thing by the text of its QR code",
  help: `Usage: xmpp-thing claim TEXT [OPTIONS]

Claims the Thing whose QR code holds TEXT (IoTDisco;SN:…;KEY:…; quote it for the shell), and
befriends it, so that you can read it.

  --private         keep the Thing out of searches
  --registry JID    the Thing Registry; default: found on your server
${accountHelp}`,
  async run(argv, io) {
    const options = { ...accountOptions, private: { type: "boolean" }, ...registryOptions } as const;
    const args = parse(argv, options, ["TEXT"]);
    const [text = ""] = args.operands;
    try {
      parseClaimText(text);
    } catch (error) {
      // Said before anything is sent, and before a password is asked for.
      if (error instanceof ProtocolError) throw new UsageError(inWords(error));
      throw error;
    }
    await using connection = await connectAs(args, io);
    const owner = new OwnerClient(connection, registryOf(args));
    const limits = { timeout: timeoutOf(args), signal: io.ended };
    const thing = await owner.claim(text, { public: !args.flags.has("private"), ...limits });
    const json = args.flags.has("json");
    if (thing.jid === undefined) {
      io.out(json ? JSON.stringify({ claimed: true, jid: null }) : "Claimed. The Registry does not tell its address.");
      return exitCode.done;
    }
    io.out(json ? jsonText({ claimed: true, ...thing }) : `Claimed: ${printable(thingInWords(thing))}`);
    // The claim stands, whether the Thing is there now or not.
    await owner.befriend(thing, { timeout: Math.min(limits.timeout, 5_000), signal: io.ended }).then(
      () => json || io.out("It is online and accepts you as a friend."),
      () => io.err("It has not answered yet; it will be your friend when it is online."),
    );
    return exitCode.done;
  },
};

/** Without where in the text: it is one text, and stands on the command line. */
function inWords({ message, path }: ProtocolError): string {
  return message.replace(` (at ${path})`, "");
}
