import type { NetworkInterfaceInfo } from "node:os";
import { describe, expect, it } from "vitest";
import { chooseInterface, isOnLink } from "../../src/sandbox/announce-interface.ts";

const ipv4 = (address: string, internal = false): NetworkInterfaceInfo => {
  return { address, netmask: "255.255.255.0", family: "IPv4", mac: "02:00:00:00:00:01", internal, cidr: null };
};
const ipv6 = (address: string): NetworkInterfaceInfo => {
  return { ...ipv4(address), family: "IPv6", netmask: "ffff:ffff:ffff:ffff::", scopeid: 0 };
};
const lo = [{ ...ipv4("127.0.0.1", true), netmask: "255.0.0.0" }];
const eth0 = [ipv6("fe80::1"), ipv4("192.168.1.5"), ipv6("fd77::5")];

describe("the interface to announce on", () => {
  it("is the only one that is not loopback", () => {
    expect(chooseInterface(undefined, { lo, eth0, tun0: [ipv6("fd00::1")] })).toEqual({
      name: "eth0",
      address: "192.168.1.5",
      netmask: "255.255.255.0",
      addresses: ["fe80::1", "192.168.1.5", "fd77::5"],
    });
  });

  it("is the one that is named, loopback too", () => {
    expect(chooseInterface("lo", { lo, eth0 }).address).toBe("127.0.0.1");
    expect(chooseInterface("wlan0", { lo, eth0, wlan0: [ipv4("10.1.2.3")] }).address).toBe("10.1.2.3");
  });

  it.each([
    {
      what: "of several nobody says which one",
      wanted: undefined,
      interfaces: { lo, eth0, docker0: [ipv4("172.17.0.1")] },
      says: "there are several networks, say which one: lo (127.0.0.1), eth0 (192.168.1.5), docker0 (172.17.0.1)",
    },
    {
      what: "there is none",
      wanted: undefined,
      interfaces: { lo },
      says: "there is no network; there are: lo (127.0.0.1)",
    },
    {
      what: "it has another name",
      wanted: "wlan0",
      interfaces: { lo, eth0 },
      says: 'there is no interface "wlan0" with an IPv4 address; there are: lo (127.0.0.1), eth0 (192.168.1.5)',
    },
    { what: "it has no IPv4 address", wanted: "tun0", interfaces: { tun0: [ipv6("fd00::1")] }, says: '"tun0"' },
  ])("is refused with a list when $what", ({ wanted, interfaces, says }) => {
    expect(() => chooseInterface(wanted, interfaces)).toThrow(
      expect.objectContaining({ code: "ERR_CONFIG", message: expect.stringContaining("announce.interface: ") }),
    );
    expect(() => chooseInterface(wanted, interfaces)).toThrow(says);
  });

  it.each([
    ["192.168.1.5", "255.255.255.0", "192.168.1.200", true],
    ["192.168.1.5", "255.255.255.0", "192.168.2.200", false],
    ["10.0.0.1", "255.255.254.0", "10.0.1.9", true],
    ["10.0.0.1", "255.255.255.255", "10.0.0.2", false],
    ["10.0.0.1", "255.255.255.0", "10.0.0.256", false],
    ["10.0.0.1", "255.255.255.0", "::ffff:10.0.0.2", false],
  ])("%s/%s has %s on its link: %s", (address, netmask, other, is) => {
    expect(isOnLink({ address, netmask }, other)).toBe(is);
  });
});
