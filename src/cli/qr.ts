import { ProtocolError } from "../core/errors.ts";
import { claimCode } from "../qr/claim-code.ts";
import { UsageError, parse, wholeNumber, type Arguments } from "./args.ts";
import type { Command } from "./command.ts";
import { exitCode, type Io } from "./io.ts";

/** `xmpp-thing qr [TEXT]` (XEP-0347 3.9, 6.7). */
export const qr: Command = {
  summary: "Make the QR code of a claim text: in the terminal, as SVG or as PNG",
  help: `Usage: xmpp-thing qr [TEXT] [OPTIONS]

Makes the QR code of a claim text (IoTDisco;SN:…;KEY:…; quote it for the shell), on this machine.
Without TEXT it is read from standard input: other users can see what is on the command line, and
whoever has the text can claim the Thing. Files are readable by you alone.

  --svg FILE        write an SVG document
  --png FILE        write a PNG picture
  --size PIXELS     the side of the smallest square, 1 to 32; default 8
  --light           for a terminal that writes dark on light
  --json            one line of JSON: {"svg":FILE,"png":FILE}, or {"code":[LINES]} without files
  --help`,
  async run(argv, io) {
    const options = {
      svg: { type: "string" },
      png: { type: "string" },
      size: { type: "string" },
      light: { type: "boolean" },
      json: { type: "boolean" },
    } as const;
    const args = parse(argv, options, ["TEXT?"]);
    const text = args.operands[0] ?? (await io.ask(io.terminal ? "Claim text: " : ""));
    try {
      await show(text, args, io);
    } catch (error) {
      if (error instanceof ProtocolError) throw new UsageError(error.message);
      throw error;
    }
    return exitCode.done;
  },
};

async function show(text: string, args: Arguments, io: Io): Promise<void> {
  const size = wholeNumber(args.values.get("size"), "size", 1, 32);
  const moduleSize = size === undefined ? {} : { moduleSize: size };
  const json = args.flags.has("json");
  const [svg, png] = [args.values.get("svg"), args.values.get("png")];
  if (svg === undefined && png === undefined) {
    const code = await claimCode(text, { as: "terminal", lightTerminal: args.flags.has("light") });
    io.out(json ? JSON.stringify({ code: code.split("\n") }) : code);
    return;
  }
  if (svg !== undefined) await io.writeFile(svg, await claimCode(text, { as: "svg", ...moduleSize }));
  if (png !== undefined) await io.writeFile(png, await claimCode(text, { as: "png", ...moduleSize }));
  if (json) io.out(JSON.stringify({ svg: svg ?? null, png: png ?? null }));
  else for (const file of [svg, png]) if (file !== undefined) io.out(`Written: ${file}`);
}
