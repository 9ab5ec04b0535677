// XEP-0347 Internet of Things - Discovery 0.5.1, sections 3.9 and 6.7: the QR code of a claim text, made on this machine.
import { checkClaimText } from "../codec/claim-text.ts";
import { ConfigError } from "../core/errors.ts";

/**
 * What {@link claimCode} makes: lines of block characters for a terminal, an SVG document, or a PNG file.
 */
export type ClaimCodeFormat = "terminal" | "svg" | "png";

/** How {@link claimCode} draws. */
export interface ClaimCodeOptions {
  /** What to make. */
  readonly as: ClaimCodeFormat;
  /**
   * The side of one module, the smallest square of the code, in pixels: a whole number from 1 to 32. Default: 8. For
   * `"svg"` it is in the units of the document, which grows to any size. Nothing to `"terminal"`.
   */
  readonly moduleSize?: number;
  /** True for a terminal that writes dark on light. Default: false, light on dark. Nothing to the other formats. */
  readonly lightTerminal?: boolean;
}

/** The most bytes that a QR code holds (version 40): with error correction L, and with M. */
const MOST_BYTES = 2953;
const MOST_BYTES_CORRECTED = 2331;
const LARGEST_MODULE = 32;

/**
 * Makes the QR code of a claim text (XEP-0347 3.9): for a terminal or a display, and as SVG or PNG for a sticker. It holds
 * the text in UTF-8, and nothing leaves this machine for it (6.7).
 *
 * The text is the key to the Thing: keep files with it from other users (mode 0600), show it only while the Thing has no
 * owner, and on a display only behind a seal (6.3).
 *
 * @param text a claim text: `thing.claimText`, or what `formatClaimText` made
 * @returns for `"terminal"` lines divided by `\n`, for `"svg"` a document, for `"png"` the bytes of a file
 * @throws `ProtocolError` (`ERR_PROTOCOL`) if it is no claim text: nobody could claim a Thing by its code
 * @throws `ConfigError` (`ERR_CONFIG`) for a wrong option, or a text of more than 2,953 bytes
 */
export function claimCode(text: string, options: ClaimCodeOptions & { readonly as: "png" }): Promise<Uint8Array>;
export function claimCode(
  text: string,
  options: ClaimCodeOptions & { readonly as: "terminal" | "svg" },
): Promise<string>;
export function claimCode(text: string, options: ClaimCodeOptions): Promise<string | Uint8Array>;
export async function claimCode(
  text: string,
  { as, moduleSize = 8, lightTerminal = false }: ClaimCodeOptions,
): Promise<string | Uint8Array> {
  if (!Number.isInteger(moduleSize) || moduleSize < 1 || moduleSize > LARGEST_MODULE) {
    throw new ConfigError(`moduleSize: must be a whole number from 1 to ${LARGEST_MODULE}`);
  }
  const bytes = Array.from(new TextEncoder().encode(checkClaimText(text)));
  if (bytes.length > MOST_BYTES) {
    throw new ConfigError(`the claim text has ${bytes.length} bytes: a QR code holds ${MOST_BYTES} at most`);
  }
  const { encode, renderSVG, renderUnicodeCompact } = await import("uqr");
  // Always as much error correction as the same size has room for. Stickers get dirty: at least M, and the margin that
  // the standard asks for. A terminal of 24 lines has no room for either.
  const ecc = as !== "terminal" && bytes.length <= MOST_BYTES_CORRECTED ? "M" : "L";
  const code = { ecc, boostEcc: true, border: as === "terminal" ? 1 : 4 } as const;
  switch (as) {
    case "terminal":
      return renderUnicodeCompact(bytes, { ...code, invert: lightTerminal });
    case "svg":
      return renderSVG(bytes, { ...code, pixelSize: moduleSize });
    case "png":
      return (await import("./png.ts")).toPng(encode(bytes, code).data, moduleSize);
    default:
      throw new ConfigError('as: must be "terminal", "svg" or "png"');
  }
}
