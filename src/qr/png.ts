// A QR code as a PNG picture. Loaded when one is wanted: the only file that needs pngjs.
import pngjs from "pngjs";

/** Draws modules, black for `true`, as squares of so many pixels. */
export function toPng(modules: readonly (readonly boolean[])[], moduleSize: number): Uint8Array {
  const side = modules.length * moduleSize;
  const data = Buffer.alloc(side * side, 255);
  for (const [row, line] of modules.entries()) {
    for (const [column, black] of line.entries()) {
      if (!black) continue;
      for (let y = row * moduleSize; y < (row + 1) * moduleSize; y++) {
        data.fill(0, y * side + column * moduleSize, y * side + (column + 1) * moduleSize);
      }
    }
  }
  const greys = { colorType: 0, inputColorType: 0, inputHasAlpha: false, bitDepth: 8 } as const;
  return pngjs.PNG.sync.write({ width: side, height: side, data }, greys);
}
