import { connectionLink, type MakeLink } from "../../src/thing/link.ts";

/** The real link with a shorter wait after a lost server: where many are lost, and spreading them is not what is tested. */
export const quickLink: MakeLink = (parts) => connectionLink({ retry: { server: 2_000, link: 2_000 }, ...parts });
