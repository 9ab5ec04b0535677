import js from "@eslint/js";
import tseslint from "typescript-eslint";

export default tseslint.config(
  { ignores: ["dist", "build", "coverage", "node_modules"] },
  js.configs.recommended,
  {
    files: ["**/*.ts"],
    extends: [tseslint.configs.strictTypeChecked],
    languageOptions: { parserOptions: { projectService: true } },
    rules: {
      "@typescript-eslint/restrict-template-expressions": ["error", { allowNumber: true }],
      "@typescript-eslint/no-confusing-void-expression": [
        "error",
        { ignoreArrowShorthand: true, ignoreVoidReturningFunctions: true },
      ],
      "@typescript-eslint/no-unnecessary-condition": [
        "error",
        { allowConstantLoopConditions: "only-allowed-literals" },
      ],
      "@typescript-eslint/prefer-promise-reject-errors": "off",
      "no-console": "error",
      "no-restricted-imports": ["error", { patterns: [{ group: ["../../*/../*"], message: "import straight down" }] }],
    },
  },
  {
    files: ["test/**/*.ts"],
    rules: {
      "@typescript-eslint/no-non-null-assertion": "off",
      // `expect.any` and its kin are typed `any`.
      "@typescript-eslint/no-unsafe-assignment": "off",
      // What `beforeAll` sets is unset in `afterAll` when `beforeAll` has failed, whatever its type says.
      "@typescript-eslint/no-unnecessary-condition": "off",
    },
  },
  {
    files: ["examples/**/*.ts", "scripts/**/*.mjs", "test/**/*.ts", "bench/**"],
    rules: { "no-console": "off" },
  },
  {
    files: ["**/*.mjs", "**/*.js"],
    languageOptions: {
      globals: {
        process: "readonly",
        console: "readonly",
        URL: "readonly",
        setTimeout: "readonly",
        globalThis: "readonly",
        performance: "readonly",
        AbortController: "readonly",
        Buffer: "readonly",
      },
    },
  },
);
