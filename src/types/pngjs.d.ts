// What this library uses of pngjs, which ships no types.

declare module "pngjs" {
  interface Image {
    readonly width: number;
    readonly height: number;
    /** Bytes, by rows from the top. */
    readonly data: Buffer;
  }
  interface PackOptions {
    /** 0: greys, one byte for each pixel. */
    readonly colorType: 0;
    /** The same of `data`. */
    readonly inputColorType: 0;
    readonly inputHasAlpha: false;
    readonly bitDepth: 8;
  }
  const pngjs: {
    readonly PNG: {
      readonly sync: {
        /** Makes a PNG file. */
        write(image: Image, options: PackOptions): Uint8Array;
        /** Reads one: four bytes for each pixel, red, green, blue and alpha. */
        read(file: Buffer): Image;
      };
    };
  };
  export default pngjs;
}
