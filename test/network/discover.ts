// Run inside a host of a test's network: searches once. The first argument is the options of `discover` as JSON, the second
// after how many servers to end, the third the number of the user to become first. Each server is a line of JSON, the end
// another.
// Loaded before the rights are gone: an ordinary user may not read the project.
import "../../src/discovery/dhcp.ts";
import "../../src/discovery/mdns.ts";
import "../../src/discovery/mdns-lookup.ts";
import "multicast-dns";
import { discover, type DiscoverOptions } from "../../src/discovery/index.ts";

const [options = "{}", enough = "1000", user] = process.argv.slice(2);
if (user !== undefined) {
  process.setgroups?.([]);
  process.setgid?.(Number(user));
  process.setuid?.(Number(user));
}
const began = performance.now();
const dropped = new Map<string, number>();
const onDropped = (finder: string, why: string): void => {
  const key = `${finder}: ${why}`;
  dropped.set(key, (dropped.get(key) ?? 0) + 1);
};
let why = "";
let count = 0;
try {
  for await (const server of discover({ ...(JSON.parse(options) as DiscoverOptions), onDropped })) {
    console.log(JSON.stringify({ ...server, ms: Math.round(performance.now() - began) }));
    if (++count === Number(enough)) break;
  }
} catch (error) {
  why = error instanceof Error ? error.message : String(error);
}
console.log(JSON.stringify({ end: why, uid: process.getuid?.(), dropped: Object.fromEntries(dropped) }));
