/** The version of this library, as in package.json (a test holds this). Stands in what it keeps. */
export const version = "0.1.0";
