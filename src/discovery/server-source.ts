// Where the link gets its servers from, round after round.
import type { ServerAddress } from "./address.ts";

/** The servers to try. */
export interface ServerSource {
  /**
   * One round: the servers to try, the most trusted first. It may take as long as a search; ends when there is no more,
   * and throws `ERR_DISCOVERY` if there is none at all.
   */
  addresses(): AsyncIterable<ServerAddress> | Iterable<ServerAddress>;
  /** A stream was up to one of them, or the try came to nothing. */
  tried(address: ServerAddress, worked: boolean): void;
}

/** The one server that was configured: nothing else is ever tried. */
export function fixedServer(address: ServerAddress): ServerSource {
  return { addresses: () => [address], tried: () => undefined };
}
