// The crash models, with ten times as many disks for each crash, or ten times as many lives (`soakFactor`).
import "../scenario/power-cut.test.ts";
import "../scenario/power-cut-lives.test.ts";
import "../storage/crash-model.test.ts";
