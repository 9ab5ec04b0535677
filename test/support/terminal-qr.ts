import jsQR from "jsqr";

/** Reads a QR code drawn with half blocks, light on dark, as a phone would from a terminal. */
export function readTerminalQr(lines: readonly string[]): string | undefined {
  const pixels = lines.flatMap((line) => [
    Array.from(line, (block) => block === "█" || block === "▀"),
    Array.from(line, (block) => block === "█" || block === "▄"),
  ]);
  const scale = 4;
  const quiet = 4;
  const width = Math.max(...pixels.map((row) => row.length));
  const side = { x: (width + 2 * quiet) * scale, y: (pixels.length + 2 * quiet) * scale };
  const image = new Uint8ClampedArray(side.x * side.y * 4).fill(255);
  for (let y = 0; y < side.y; y++) {
    for (let x = 0; x < side.x; x++) {
      const [column, row] = [Math.floor(x / scale) - quiet, Math.floor(y / scale) - quiet];
      const inside = column >= 0 && column < width && row >= 0 && row < pixels.length;
      if (inside && pixels[row]?.[column] !== true) image.fill(0, (y * side.x + x) * 4, (y * side.x + x) * 4 + 3);
    }
  }
  return jsQR.default(image, side.x, side.y)?.data;
}
