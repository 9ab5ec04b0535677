// Nothing that tests do may reach a network: whatever leaves loopback is stopped here, and told to the test. Loaded into
// the test processes (no-outside.ts) and, by NODE_OPTIONS, into the Node.js processes that they start.
import dgram from "node:dgram";
import dns from "node:dns";
import { appendFileSync, readFileSync, rmSync } from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import net from "node:net";
import os from "node:os";
import path from "node:path";

const report = (process.env["NO_OUTSIDE_REPORT"] ??= path.join(os.tmpdir(), `no-outside-${process.pid}-${Date.now()}`));

/** Stops what was about to happen, and has it told. */
function refuse(what) {
  appendFileSync(report, `${what}\n`);
  throw new Error(`the tests stay on loopback: ${what}`);
}

const zone = (address) => address.split("%")[1];
const bare = (address) => address.split("%")[0].replace(/^::ffff:(?=\d)/i, "");

/** 127.0.0.0/8 and ::1. */
function isLoopback(address) {
  const ip = bare(address);
  return net.isIPv4(ip) ? ip.startsWith("127.") : net.isIPv6(ip) && /^(0*:)+0*1$/.test(ip);
}

const isMulticast = (address) => /^(22[4-9]|23\d)\.|^ff[\da-f]{2}:/i.test(bare(address));

/** An interface, named as multicast names them: by an address, or `::%lo`. */
function isLoopbackInterface(name) {
  if (typeof name !== "string") return false;
  return isLoopback(name) || (zone(name) !== undefined && isLoopbackZone(zone(name)));
}

function isLoopbackZone(name) {
  const addresses = os.networkInterfaces()[name];
  return addresses !== undefined && addresses.every(({ internal }) => internal);
}

/** A name that no name server is asked for. */
const isLocalName = (name) => /^localhost\.?$/i.test(name);

function before(owner, method, check) {
  const original = owner[method];
  owner[method] = function (...args) {
    check.call(this, ...args);
    return original.apply(this, args);
  };
}

/** TCP. Names are checked where they are resolved, and what has become of them here. */
before(net.Socket.prototype, "connect", function (...args) {
  const first = Array.isArray(args[0]) ? args[0][0] : args[0]; // net.connect hands on its arguments in an array
  const options = typeof first === "object" && first !== null ? first : { port: first, host: args[1] };
  if (typeof options.path === "string" || (typeof first === "string" && Number.isNaN(Number(first)))) return;
  const { host, port } = options;
  if (typeof host !== "string" || host === "") return;
  if (net.isIP(host) !== 0) {
    if (!isLoopback(host)) refuse(`TCP to ${host} port ${port}`);
  } else if (typeof options.lookup === "function") {
    const lookup = options.lookup;
    options.lookup = (name, settings, callback) =>
      lookup(name, settings, (error, found, ...rest) => {
        const all = Array.isArray(found) ? found.map(({ address }) => address) : [found];
        const outside = error ? undefined : all.find((address) => typeof address === "string" && !isLoopback(address));
        if (outside === undefined) return callback(error, found, ...rest);
        try {
          refuse(`TCP to ${name} (${outside}) port ${port}`);
        } catch (refusal) {
          callback(refusal);
        }
      });
  }
});

/** UDP. A multicast or broadcast stays on loopback only if the socket was told so. */
const multicastInterface = new WeakMap();

function checkDatagram(socket, address, port) {
  if (typeof address !== "string" || address === "") return; // the loopback address, or where it is connected to
  if (net.isIP(address) === 0) {
    if (!isLocalName(address)) refuse(`UDP to ${address} port ${port}`);
  } else if (isMulticast(address)) {
    const chosen = multicastInterface.get(socket);
    const isOurs = chosen !== undefined || (zone(address) !== undefined && isLoopbackZone(zone(address)));
    if (!isOurs) refuse(`multicast to ${address} port ${port}`);
  } else if (!isLoopback(address)) refuse(`UDP to ${address} port ${port}`);
}

before(dgram.Socket.prototype, "send", function (_message, ...args) {
  const at = args.findIndex((argument) => typeof argument === "string");
  if (at > 0) checkDatagram(this, args[at], args[at - 1]);
});
before(dgram.Socket.prototype, "connect", function (port, address) {
  checkDatagram(this, address, port);
});
before(dgram.Socket.prototype, "setMulticastInterface", function (name) {
  if (!isLoopbackInterface(name)) refuse(`multicast through ${name}`);
  multicastInterface.set(this, name);
});
// To join a group is to send: the kernel tells the routers.
before(dgram.Socket.prototype, "addMembership", function (group, name) {
  if (!isLoopbackInterface(name)) refuse(`membership of ${group} through ${name ?? "any interface"}`);
});
before(dgram.Socket.prototype, "addSourceSpecificMembership", function (source, group, name) {
  if (!isLoopbackInterface(name)) refuse(`membership of ${group} through ${name ?? "any interface"}`);
});

/** DNS: only localhost, and name servers of the tests, which are on loopback and not on the port of the machine's own. */
const isOfTheTests = (server) => /^(127\.[\d.]+|\[::1\]):\d+$/.test(server);

for (const owner of [dns, dns.promises]) {
  before(owner, "lookup", (name) => {
    if (typeof name === "string" && name !== "" && net.isIP(name) === 0 && !isLocalName(name)) {
      refuse(`a lookup of ${name}`);
    }
  });
  for (const asked of [owner, owner.Resolver.prototype]) {
    for (const method of Object.getOwnPropertyNames(asked).filter((name) => /^(resolve|reverse)/.test(name))) {
      before(asked, method, function (name) {
        const servers = (asked === owner ? owner : this).getServers();
        if (!servers.every(isOfTheTests)) refuse(`${method} of ${name}`);
      });
    }
  }
}
syncBuiltinESMExports();

/** What was refused since the last time, by this process and its children. */
export function takeOutside() {
  try {
    const told = readFileSync(report, "utf8").trim().split("\n");
    rmSync(report);
    return told;
  } catch {
    return [];
  }
}
