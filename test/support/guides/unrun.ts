// What of the guides is not run, and why.

/** The programs of the guides that are not run here, and why. */
export const otherPrograms = new Map([
  ["mkdir", "makes the reader's folder"],
  [
    "npm",
    "gets packages from a registry; examples.test.ts runs the examples, .ci/run `npm test` and packs the package",
  ],
  ["scp", "copies to another machine"],
  ["ssh", "works on another machine"],
  ["git", "gets the project from where it is published"],
  ["sudo", "changes the machine"],
  ["journalctl", "reads the log of a service of the machine"],
  ["node", "the README's thermometer, which examples.test.ts runs; trace-process.test.ts runs one that is traced"],
  ["ls", "a bus of the board"],
  ["cat", "a bus of the board"],
  ["du", "measures the package, as .ci/run does"],
  ["cd", "measures the package, as .ci/run does"],
  ["package=$(realpath", "packs the package, as .ci/run does"],
  ["tail", "counts the packages, as .ci/run does"],
  ["wc", "counts the packages, as .ci/run does"],
]);

/** The blocks that are no commands and are not run, by words of them, and why. */
export const otherBlocks = new Map([
  ["answer> always 1", "compared with what `sandbox --ask` prints, in its scene"],
  ["Runs now    yes: process 4711", "its labels are compared with those of `status`, in its scene"],
  ["component_ports = { 5347 }", "the Prosody of docs-run.test.ts is started with it"],
  ["not taken    mdns: malformed", "the form of what `discover` prints: test/cli/discover.test.ts"],
  ["<service-group>", "avahi announces by it in test/network/guides.test.ts"],
  ["RequestOptions=224", "for systemd-networkd, which would change the machine's network"],
  ["also request xmpp-server;", "for ISC dhclient, which is no part of Debian's servers any more"],
  ["crc=57 YES", "what the kernel says: examples.test.ts gives it to the example as it stands there"],
  ["dtoverlay=gpio-led", "for the firmware of a Raspberry Pi"],
  ["dtoverlay=w1-gpio", "for the firmware of a Raspberry Pi"],
  ['require("node:fs")', "CommonJS: examples.test.ts runs it as it stands there"],
]);
