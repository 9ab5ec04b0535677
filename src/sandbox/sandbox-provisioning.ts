// The Provisioning Servers of a sandbox: one, and as many more as somebody wants to see side by side (XEP-0324 5.3).
import { ConfigError } from "../core/errors.ts";
import type { ProvisioningServerOptions } from "./provisioning-server-options.ts";
import { ReferenceProvisioningServer } from "./provisioning-server.ts";

/** How a service is reached: at an address of its own (`provisioning.localhost`), or as an account, a friend. */
export type Hosting = "component" | "account";

/** What a Provisioning Server of a sandbox is told. */
export type ProvisioningSettings = Omit<ProvisioningServerOptions, "jid" | "random" | "clock" | "logger">;

/** A Provisioning Server beside the first. */
export interface FurtherProvisioning extends ProvisioningSettings {
  /** Its name: `second` is at `second.localhost`, as an account at `second@localhost`. */
  readonly name: string;
  /** How it is reached. Default: as a component. */
  readonly hosting?: Hosting | undefined;
  /**
   * Whether Things may trust further servers (XEP-0324 3.1.4). Default: true if all servers before it say so. In a
   * network whose servers accept it, it is acceptable (XEP-0324 5.3).
   */
  readonly secondaryTrustAllowed?: boolean | undefined;
}

/** Makes them all, the first in front. Throws `ERR_CONFIG` for a name that is none, or taken. */
export function makeProvisioningServers(
  {
    first,
    further,
  }: { readonly first: ProvisioningSettings & { jid: string }; further: readonly FurtherProvisioning[] },
  address: (name: string, hosting: Hosting) => string,
  parts: Pick<ProvisioningServerOptions, "random" | "clock" | "logger">,
): readonly [ReferenceProvisioningServer, ...ReferenceProvisioningServer[]] {
  const servers: [ReferenceProvisioningServer, ...ReferenceProvisioningServer[]] = [
    new ReferenceProvisioningServer({ ...first, ...parts }),
  ];
  further.forEach(({ name, hosting = "component", ...settings }, index) => {
    // P-5.3-6.
    const secondaryTrustAllowed = servers.every((earlier) => earlier.secondaryTrustAllowed);
    const jid = address(name, hosting);
    const server = new ReferenceProvisioningServer({ secondaryTrustAllowed, ...settings, jid, ...parts });
    if (servers.some((earlier) => earlier.jid === server.jid)) {
      throw new ConfigError(`furtherProvisioning[${index}].name: "${name}" is taken`);
    }
    servers.push(server);
  });
  return servers;
}
