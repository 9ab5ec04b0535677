import { describe, expect, it } from "vitest";
import { checkDiscovery } from "../../src/discovery/options.ts";

describe("the option dhcp", () => {
  it("D-3.3.1-1: asks for the site-specific option 224 by default, from any port, on every interface", () => {
    const settings = {
      siteOption: 224,
      port68: false,
      interfaces: undefined,
      lease: "/run/systemd/netif/leases",
    };
    expect(checkDiscovery({}).dhcp).toEqual(settings);
    expect(checkDiscovery({ dhcp: true }).dhcp).toEqual(settings);
    expect(checkDiscovery({ dhcp: {} }).dhcp).toEqual(settings);
  });

  it("can be switched off, whole or in parts", () => {
    expect(checkDiscovery({ dhcp: false }).dhcp).toBeUndefined();
    const given = { siteOption: false, port68: true, interfaces: ["eth0"], lease: false } as const;
    expect(checkDiscovery({ dhcp: given }).dhcp).toEqual(given);
    expect(checkDiscovery({ dhcp: { siteOption: 250, lease: "/x" } }).dhcp).toMatchObject({
      siteOption: 250,
      lease: "/x",
    });
  });

  it.each<[unknown, string]>([
    ["yes", "dhcp: must be true, false or { siteOption, port68, interfaces, lease }"],
    [null, "dhcp: must be true"],
    [[224], "dhcp: must be true"],
    [{ option: 224 }, 'dhcp: there is no option "option"; there are siteOption, port68, interfaces, lease'],
    [{ siteOption: 84 }, "dhcp.siteOption: must be the code of a DHCP option from 128 to 254, or false"],
    [{ siteOption: 255 }, "dhcp.siteOption"],
    [{ siteOption: 224.5 }, "dhcp.siteOption"],
    [{ siteOption: "224" }, "dhcp.siteOption"],
    [{ siteOption: true }, "dhcp.siteOption"],
    [{ port68: 1 }, "dhcp.port68: must be true or false"],
    [{ interfaces: "eth0" }, 'dhcp.interfaces: must be a list of names of interfaces, ["eth0"]'],
    [{ interfaces: [] }, "dhcp.interfaces"],
    [{ interfaces: [""] }, "dhcp.interfaces"],
    [{ interfaces: [0] }, "dhcp.interfaces"],
    [{ lease: "" }, "dhcp.lease: must be the path of a folder, or false"],
    [{ lease: true }, "dhcp.lease"],
  ])("%j: %s", (dhcp, message) => {
    const options = { dhcp } as Parameters<typeof checkDiscovery>[0];
    expect(() => checkDiscovery(options)).toThrow(message);
    expect(() => checkDiscovery(options, "server")).toThrow(`server.${message}`);
  });
});
