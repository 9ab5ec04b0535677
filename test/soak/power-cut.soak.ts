// The crash models, with ten times as many disks for each crash (`soakFactor`).
import "../scenario/power-cut.test.ts";
import "../storage/crash-model.test.ts";
