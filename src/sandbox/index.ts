/**
 * A whole XMPP site in one process, for demos and tests: server, Thing Registry, Provisioning Server.
 *
 * @packageDocumentation
 */
export { startSandbox } from "./sandbox.ts";
export type { Sandbox, SandboxOptions, SandboxUser } from "./sandbox.ts";
export { ReferenceRegistry } from "./registry.ts";
export { ReferenceProvisioningServer } from "./provisioning-server.ts";
export type { StanzaService } from "./stanza-service.ts";
export type { ReadLimits, Rule } from "./rules.ts";
export { attachComponent } from "./attach-component.ts";
export { SimulatedClock } from "./simulated-clock.ts";
export { SeededRandom } from "./seeded-random.ts";
