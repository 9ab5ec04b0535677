import { Duplex } from "node:stream";

/** Two ends of a connection in memory. What is written to one comes out of the other, in pieces of at most so many bytes. */
export function duplexPair(pieces = Infinity): [Duplex, Duplex] {
  const end = (): Duplex =>
    new Duplex({
      allowHalfOpen: false,
      read: () => undefined,
      write(chunk: Uint8Array, _encoding, done) {
        setImmediate(() => {
          const peer = peers.get(this)!;
          for (let at = 0; at < chunk.length; at += pieces) {
            if (!peer.destroyed) peer.push(chunk.subarray(at, at + pieces));
          }
          done();
        });
      },
      final(done) {
        setImmediate(() => {
          const peer = peers.get(this)!;
          if (!peer.destroyed) peer.push(null);
          done();
        });
      },
      destroy(error, done) {
        const peer = peers.get(this)!;
        setImmediate(() => peer.destroy());
        done(error);
      },
    });
  const [one, two] = [end(), end()];
  const peers = new Map([
    [one, two],
    [two, one],
  ]);
  return [one, two];
}
