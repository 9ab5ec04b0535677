// Every bit of the file that holds the rights is flipped once (`soakFactor`).
import "../provisioning/rights-damage.test.ts";
