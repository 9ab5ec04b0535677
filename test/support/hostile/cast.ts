// Who plays in a hostile stream. What lawful parties are called stands in no mutated text of an impostor's: so no
// mutation can make lawful what was not.
export const DOMAIN = "localhost";
export const SELF = "thing@localhost";
export const FULL = `${SELF}/home`;

/** Those whom the Thing may listen to, each for their own matters. */
export const REGISTRY = "registry.lawful.example";
export const SERVER = "authority.lawful.example";
export const OWNER = "anna.lawful@example.org";
/** May read Temperature, and nothing else. */
export const READER = "reader.lawful@example.org";

/** People and services with no say at all. */
export const IMPOSTORS: readonly string[] = [
  "mallory@example.net/x",
  "mallory@localhost",
  "thing2@localhost/home",
  "thing@localhos",
  "discovery.localhost",
  "provisioning.localhost",
  "registry.example",
  "authority.example/service",
  "anna@example.org/phone",
  "reader@example.org/desk",
  "Ünïcode@bücher.example/ß",
  "\u0430uthority.example",
  "a\\40b@example.org/x",
  `${"l".repeat(900)}@example.org/${"r".repeat(900)}`,
];

/** Who looks like somebody lawful, and is not. */
export function nearMisses(lawful: string): readonly string[] {
  const homoglyph = lawful.replace("a", "\u0430");
  return [
    `${lawful}.evil.example`,
    `evil.${lawful}`,
    lawful.slice(0, -1),
    `${lawful}x/${lawful}`,
    `mallory@evil.example/${lawful}`,
    homoglyph,
    lawful.replace(".lawful", "\u00ad.lawful"),
    lawful.replace(".lawful", ".lawful."),
    lawful.includes("@") ? lawful.replace("@", "\\40") : `x@${lawful}`,
    lawful.includes("@") ? (lawful.split("@")[1] as string) : lawful.replaceAll(".", "\\2e"),
    ` ${lawful}`,
    `/${lawful}`,
    `${lawful}/`,
    `@${lawful}`,
    "",
  ];
}
