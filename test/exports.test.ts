// What the package offers, name by name: a name that is added or lost is a decision, not an accident.
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import ts from "typescript";
import { beforeAll, describe, expect, it } from "vitest";

const root = new URL("../", import.meta.url);
const { exports } = JSON.parse(readFileSync(new URL("package.json", root), "utf8")) as {
  exports: Readonly<Record<string, { types: string } | string>>;
};

/** The sources behind the package's entry points: `./owner` is `src/owner/index.ts`. */
const entries = Object.entries(exports)
  .filter((entry): entry is [string, { types: string }] => typeof entry[1] !== "string")
  .map(([name, { types }]) => [name, types.replace(/^\.\/dist\//, "src/").replace(/\.d\.ts$/, ".ts")] as const);

const namesOf = new Map<string, { readonly values: readonly string[]; readonly types: readonly string[] }>();

beforeAll(() => {
  const files = entries.map(([, source]) => fileURLToPath(new URL(source, root)));
  const options: ts.CompilerOptions = {
    target: ts.ScriptTarget.ES2022,
    module: ts.ModuleKind.NodeNext,
    moduleResolution: ts.ModuleResolutionKind.NodeNext,
    allowImportingTsExtensions: true,
    noEmit: true,
    noLib: true, // names only: no need to know what a string is
    types: [],
  };
  const program = ts.createProgram(files, options);
  const checker = program.getTypeChecker();
  entries.forEach(([name], index) => {
    const file = program.getSourceFile(files[index] ?? "");
    const module = file && checker.getSymbolAtLocation(file);
    const symbols = module === undefined ? [] : checker.getExportsOfModule(module);
    const isValue = (symbol: ts.Symbol): boolean => {
      const target = symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol;
      // A class that is exported as a type only is one.
      const typeOnly = symbol.declarations?.some(
        (node) => ts.isExportSpecifier(node) && ts.isTypeOnlyImportOrExportDeclaration(node),
      );
      return (target.flags & ts.SymbolFlags.Value) !== 0 && !(typeOnly ?? false);
    };
    namesOf.set(name, {
      values: symbols
        .filter(isValue)
        .map((symbol) => symbol.name)
        .sort(),
      types: symbols
        .filter((symbol) => !isValue(symbol))
        .map((symbol) => symbol.name)
        .sort(),
    });
  });
});

describe("the package", () => {
  it("has these entry points", () => {
    expect(entries.map(([name]) => name)).toMatchInlineSnapshot(`
      [
        ".",
        "./discovery",
        "./owner",
        "./service",
        "./sandbox",
      ]
    `);
  });

  it.each(entries)("%s gives at run time what its types say", async (name, source) => {
    const module = (await import(new URL(source, root).href)) as object;
    expect(Object.keys(module).sort()).toEqual(namesOf.get(name)?.values);
  });
});

describe("the names of", () => {
  it("xmpp-thing, the device's side", () => {
    expect(namesOf.get(".")).toMatchInlineSnapshot(`
      {
        "types": [
          "AccountOptions",
          "AccountReset",
          "AnySdkError",
          "BareJid",
          "BooleanParameter",
          "Bounds",
          "CallOptions",
          "CanControl",
          "CanRead",
          "CertificateOptions",
          "ClaimCodeFormat",
          "ClaimCodeOptions",
          "Clock",
          "ColorParameter",
          "ControlContext",
          "ControlForm",
          "ControlOptions",
          "ControlOutcome",
          "ControlParameter",
          "ControlQuestion",
          "ControlValue",
          "DateTimeParameter",
          "Decision",
          "DecisionMade",
          "DecisionSource",
          "Fault",
          "FaultCode",
          "Field",
          "FieldDefinition",
          "FieldGroup",
          "FieldQuality",
          "FieldQualitySet",
          "FieldReading",
          "FieldType",
          "FieldTypeSet",
          "FieldValue",
          "FileStorageOptions",
          "FileSystem",
          "FolderOwner",
          "FormOptions",
          "FormParameter",
          "FriendQuestion",
          "Grant",
          "IncomingRequest",
          "KeepaliveOptions",
          "Leaving",
          "Link",
          "LogFields",
          "Logger",
          "LongParameter",
          "MakeCertificateOptions",
          "Moment",
          "NodeDefinition",
          "NodeFailure",
          "NodeRef",
          "NumberParameter",
          "NumericValue",
          "OnBehalf",
          "OpenFile",
          "OpenMode",
          "Ownership",
          "Padding",
          "Paired",
          "PairingEnded",
          "PairingOptions",
          "PairingOutcome",
          "PairingWindow",
          "ParameterBase",
          "ParameterKind",
          "ParameterOption",
          "ParameterProblem",
          "ParameterValue",
          "ParameterValues",
          "ProcessDescription",
          "ProcessProbe",
          "ProcessSighting",
          "ProvisioningMethods",
          "Question",
          "RandomSource",
          "ReadContext",
          "ReadOptions",
          "ReadQuestion",
          "Reading",
          "Readout",
          "ReadoutStage",
          "RefusalCondition",
          "RegistryMethods",
          "ResetOptions",
          "Right",
          "Rights",
          "RightsCounters",
          "RightsOptions",
          "SdkErrorCode",
          "SensorDefinition",
          "ServerOptions",
          "StanzaErrorType",
          "Storage",
          "StringParameter",
          "Tag",
          "Tags",
          "TemporalParameter",
          "ThingClaimed",
          "ThingCondition",
          "ThingControlOptions",
          "ThingDisowned",
          "ThingEvents",
          "ThingFormOptions",
          "ThingNode",
          "ThingOptions",
          "ThingReadOptions",
          "ThingRemoved",
          "ThingState",
          "Timer",
          "TlsPolicy",
          "Tokens",
          "Trust",
          "TrustOrigin",
          "TrustedServer",
          "UpdateTagsOptions",
        ],
        "values": [
          "AuthenticationError",
          "ConfigError",
          "ConnectionError",
          "DiscoveryError",
          "ProtocolError",
          "ReadoutError",
          "Refusal",
          "RegistrationError",
          "SdkError",
          "StanzaError",
          "StateError",
          "StorageError",
          "Thing",
          "TimeoutError",
          "TlsPolicyError",
          "claimCode",
          "fileStorage",
          "formatClaimText",
          "isSdkError",
          "memoryStorage",
          "parseClaimText",
        ],
      }
    `);
  });

  it("xmpp-thing/discovery, finding servers", () => {
    expect(namesOf.get("./discovery")).toMatchInlineSnapshot(`
      {
        "types": [
          "DhcpOptions",
          "DiscoverOptions",
          "DiscoveryOptions",
          "Finder",
          "FoundServer",
          "MdnsOptions",
          "Search",
          "ServerAddress",
          "ServerCandidate",
          "Tried",
        ],
        "values": [
          "NothingFoundError",
          "discover",
        ],
      }
    `);
  });

  it("xmpp-thing/owner, the owner's side", () => {
    expect(namesOf.get("./owner")).toMatchInlineSnapshot(`
      {
        "types": [
          "Alternatives",
          "BareJid",
          "CallOptions",
          "ClaimCodeFormat",
          "ClaimCodeOptions",
          "ClaimOptions",
          "ClaimedThing",
          "Clock",
          "ConcentratorNode",
          "ConcentratorOptions",
          "ConnectOptions",
          "Connection",
          "ControlForm",
          "ControlOptions",
          "ControlOutcome",
          "ControlValue",
          "Field",
          "FieldGroup",
          "FieldQuality",
          "FieldQualitySet",
          "FieldReading",
          "FieldType",
          "FieldTypeSet",
          "FieldValue",
          "FormOptions",
          "FormParameter",
          "Jid",
          "KeepaliveOptions",
          "LogFields",
          "Logger",
          "MaskOptions",
          "Moment",
          "NodeFailure",
          "NodeInformation",
          "NodeListOptions",
          "NodeRef",
          "NodeState",
          "NumComparison",
          "NumRange",
          "NumericTagName",
          "NumericValue",
          "OwnerClientOptions",
          "ParameterKind",
          "ParameterOption",
          "ParameterProblem",
          "ParameterValue",
          "ParameterValues",
          "Predicate",
          "RandomSource",
          "RangeEnds",
          "ReadOptions",
          "Readout",
          "ReadoutStage",
          "RegistryMethods",
          "RegistryRequest",
          "SdkError",
          "SearchCondition",
          "SearchOperator",
          "SearchOptions",
          "Searchable",
          "StanzaError",
          "StanzaErrorType",
          "StrComparison",
          "StrMask",
          "StrRange",
          "StreamEnd",
          "Tag",
          "TagConditions",
          "TagQuery",
          "Tags",
          "TextConditions",
          "TextTagName",
          "ThingAddress",
          "ThingFound",
          "ThingReference",
          "Timer",
          "TlsPolicy",
          "Tokens",
          "Undelivered",
          "UndeliveredStanza",
          "ValueOf",
        ],
        "values": [
          "OwnerClient",
          "ReadoutError",
          "RegistryError",
          "anyOf",
          "claimCode",
          "connect",
          "formatClaimText",
          "parseClaimText",
          "parseTagList",
          "tag",
        ],
      }
    `);
  });

  it("xmpp-thing/service, the service's side", () => {
    expect(namesOf.get("./service")).toMatchInlineSnapshot(`
      {
        "types": [
          "BareJid",
          "CallOptions",
          "CertificateOptions",
          "Clock",
          "ConnectionFault",
          "ControlForm",
          "ControlOptions",
          "ControlOutcome",
          "ControlValue",
          "Credential",
          "CredentialType",
          "Credentials",
          "Field",
          "FieldGroup",
          "FieldType",
          "FieldTypeSet",
          "FieldValue",
          "FormOptions",
          "FormParameter",
          "Jid",
          "KeepaliveOptions",
          "LogFields",
          "Logger",
          "MakeCertificateOptions",
          "NodeFailure",
          "NodeRef",
          "NumericValue",
          "Padding",
          "ParameterKind",
          "ParameterOption",
          "ParameterProblem",
          "ParameterValues",
          "Privilege",
          "ProtocolName",
          "RandomSource",
          "ReadOptions",
          "Readout",
          "ReadoutStage",
          "SdkError",
          "ServerPrivileges",
          "ServiceAccount",
          "ServiceControlOptions",
          "ServiceEvents",
          "ServiceFault",
          "ServiceFaultCode",
          "ServiceFormOptions",
          "ServiceOptions",
          "ServiceReadOptions",
          "StanzaError",
          "StanzaErrorType",
          "Storage",
          "Timer",
          "TlsPolicy",
          "Tokens",
        ],
        "values": [
          "ReadoutError",
          "ServiceClient",
          "ServiceSession",
          "fileStorage",
          "isPrivilegeGranted",
          "isPrivilegeId",
          "memoryStorage",
        ],
      }
    `);
  });

  it("xmpp-thing/sandbox, a whole site in one process", () => {
    expect(namesOf.get("./sandbox")).toMatchInlineSnapshot(`
      {
        "types": [
          "AccountAttachment",
          "AggregateOptions",
          "AnnounceOptions",
          "Announcement",
          "AskedQuestion",
          "AttachAccountOptions",
          "AttachOptions",
          "Attachment",
          "BareJid",
          "CallOptions",
          "ChallengePadding",
          "ChallengePolicy",
          "Clock",
          "ControlLimits",
          "Credential",
          "CredentialConditions",
          "DhcpCounts",
          "DueNotice",
          "FieldType",
          "FriendshipOutcome",
          "FurtherProvisioning",
          "HostedAccount",
          "Hosting",
          "HostingOptions",
          "KeptChange",
          "KeptProvisioningServerOptions",
          "KeptRegistryOptions",
          "KnownIdentity",
          "LogFields",
          "Logger",
          "NodeRef",
          "Privilege",
          "PrivilegeList",
          "ProtocolName",
          "ProvisioningKeeper",
          "ProvisioningServerOptions",
          "ProvisioningSettings",
          "QuestionKind",
          "RandomSource",
          "ReadLimits",
          "RecordClaim",
          "RecordKeeper",
          "RecordRemoval",
          "RegisteredThing",
          "RegistryOptions",
          "RegistryRecord",
          "RegistrySettings",
          "RosterItem",
          "Rule",
          "Sandbox",
          "SandboxOptions",
          "SandboxUser",
          "SeenName",
          "SimulatedClockOptions",
          "StanzaListener",
          "StanzaService",
          "Subscription",
          "Tag",
          "Timer",
          "TlsPolicy",
          "UndecidedListener",
          "UndecidedQuestion",
          "User",
          "Within",
          "XmlElement",
        ],
        "values": [
          "MemoryKeeper",
          "ReferenceProvisioningServer",
          "ReferenceRegistry",
          "SeededRandom",
          "SimulatedClock",
          "attachAccount",
          "attachComponent",
          "levelKeeper",
          "levelProvisioningKeeper",
          "recordKey",
          "startSandbox",
        ],
      }
    `);
  });
});
