// Reads QR codes as a phone would: from a picture, by an independent decoder.
import jsQR from "jsqr";
import pngjs from "pngjs";

/** The text in a PNG file; `undefined` where no QR code is found. */
export function readPngQr(file: ArrayLike<number>): string | undefined {
  const { width, height, data } = pngjs.PNG.sync.read(Buffer.from(Uint8Array.from(file)));
  return jsQR.default(new Uint8ClampedArray(data), width, height)?.data;
}

/** The text in an SVG document of one white rectangle and one black path of squares. */
export function readSvgQr(document: string): string | undefined {
  const side = Number(/^<svg xmlns="http:\/\/www\.w3\.org\/2000\/svg" viewBox="0 0 (\d+) \1">/.exec(document)?.[1]);
  const image = new Uint8ClampedArray(side * side * 4).fill(255);
  for (const [, x, y, size] of document.matchAll(/M(\d+),(\d+)h(\d+)v\3h-\3z/g)) {
    for (let row = Number(y); row < Number(y) + Number(size); row++) {
      const begin = (row * side + Number(x)) * 4;
      for (let at = begin; at < begin + Number(size) * 4; at += 4) image.fill(0, at, at + 3);
    }
  }
  return jsQR.default(image, side, side)?.data;
}
