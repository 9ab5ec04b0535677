// What a person can do about a fault: said by `npx xmpp-thing status`, and in docs/troubleshooting.md.
import type { FaultCode } from "./faults.ts";

const advice: Readonly<Record<FaultCode, string>> = {
  discovery:
    "Announce the server on this network (multicast DNS, DHCP), or name it in `server.domain` or `server.service`. `npx xmpp-thing discover` shows what can be heard here.",
  "network-packets":
    "Nothing, if the server is found. Somebody on this network answers searches for XMPP servers with what is none: a defective device, or an attack. `npx xmpp-thing discover` shows who answers.",
  authentication:
    "Check the account on the server: was it removed, or its password changed? Give a Thing with an account of its own the new password in `account.password`. If the account is gone for good, `npx xmpp-thing reset` makes the Thing a new one.",
  "tls-policy":
    "Check `tls.ca`, the domain, and the server's certificate (`openssl s_client -starttls xmpp -connect HOST:5222`). Until it is right nothing is sent.",
  "tls-unverified":
    "Give the certificate of the server's authority in `tls.ca`, and take the domain out of `tls.unverified`. Until then whoever is on the way can pretend to be the server.",
  "clock-behind":
    "Wait: it goes on by itself once the clock is set. If it stays so, look at `timedatectl`; a Pi without a clock battery needs a time server.",
  registration:
    "Allow in-band registration on the server, or make the account there and give it in `account.username` and `account.password`. If the message says that the account is there, `account.password` is wrong, or the account is somebody else's.",
  account:
    "Look at the message: the disk is full, defective, or another user's. The account is kept in the state folder.",
  "account-kept":
    "If the server refuses, change the password or remove the account there by hand, or leave it as it is. Otherwise nothing: it is tried again.",
  configuration: "Fix the option that the message names, and start again.",
  conflict:
    "Find the other device or process with the same account: a copy of the folder or of the whole SD card. Stop the copy, run `npx xmpp-thing reset --state DIR` on it, start both again.",
  greeting: "Nothing, if it happens once. If it stays so, look at the server's log: it refuses the roster or presence.",
  registry: "Attach a Thing Registry to the server, or name it in `registry`. If it refuses, its log says why.",
  "registry-changed":
    "Nothing, if it was meant. Otherwise set `registry` back to the Registry before, which may go on listing the Thing.",
  "unfriend-ignored": "Nothing is wrong with the Thing: ask whoever runs that provisioning server what was meant.",
  "tags-damaged":
    "Nothing: the Registry is told again. If it comes again, replace the disk or SD card. What was set by `updateTags` may be lost: the program has to set it again.",
  "owner-change-ignored":
    "Find out who claims it: the people who run the Registry, or somebody in its place. The owner stays the owner. If the Thing is to change hands, its owner disowns it, or a factory reset makes it nobody's.",
  "registry-restless":
    "Ask the people who run the Registry what it is doing, or name another one in `registry`. The Thing goes on, and takes what the Registry says of its owner once in two minutes.",
  "not-delivered": "Nothing: who misses an answer asks again. If it comes often, look at the network.",
  provisioning: "Attach a provisioning server, or name it in `provisioning`. Until then only the owner may read.",
  certificate:
    "Do what the message says: `chmod 600` for a file that others can read, a new certificate for one that has expired. Of a damaged one put a backup of the state folder in its place; a factory reset makes another one, which has no rights yet.",
  token:
    "Nothing, if the server was away: it is asked again. If it refuses, look at its log: does it know the certificate (`npx xmpp-thing status` shows its fingerprint), and does it pad challenges as `certificate.padding` says?",
  pairing:
    "Nothing: it is asked again. If it stays so, see that whom the button has accepted is online and answers service discovery.",
  owner: "Nothing: it is tried again. If it stays so, the owner's server cannot be reached from the Thing's.",
  sensor: "Fix `sensor.read`, or the sensor it reads; the message says what it did.",
  control: "Fix the `set` of the parameter that the message names, or the device behind it.",
  "identity-restored": "Consider the disk or SD card worn, and replace it. Nothing else: the Thing goes on.",
  "node-damaged":
    "Consider the disk or SD card worn, and replace it. Nothing else: the Registry is asked whose the node is.",
  "rights-damaged": "Nothing: what is missing is asked again. If it comes again, replace the disk or SD card.",
  "rights-not-saved": "Make room on the disk, or make it writable: the message says what is wrong with it.",
  "state-not-saved": "Make room on the disk, or make it writable: the message says what is wrong with it.",
  "handler-failed": "Look at the message. If it names no file of the state folder, it is a bug: report it.",
  "listener-failed": "Fix the listener in your program that the message names.",
  "handler-slow": "Usually nothing: a provisioning server was slow. If it stays so, look at that server.",
};

/** What to do about a fault; `undefined` for a code that this version does not know. */
export function adviceFor(code: string): string | undefined {
  return Object.hasOwn(advice, code) ? advice[code as FaultCode] : undefined;
}
