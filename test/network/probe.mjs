// Run inside a host of a test's network: listens, or tells by its exit code whether somebody can be reached.
import { connect, createServer } from "node:net";
import { connect as connectTls } from "node:tls";

const [what, ...args] = process.argv.slice(2);
const PATIENCE = 1_000;

if (what === "echo") {
  createServer((socket) => socket.pipe(socket)).listen(Number(args[0]), "::", () => console.log("listening"));
} else {
  const [host = "", port = ""] = args;
  const options = { host, port: Number(port) };
  const socket = what === "tls" ? connectTls({ ...options, servername: host }) : connect(options);
  const end = (code, why) => {
    console.log(why);
    process.exit(code);
  };
  socket.on(what === "tls" ? "secureConnect" : "connect", () => end(0, "reached"));
  socket.on("error", (error) => end(1, error.message));
  setTimeout(() => end(1, "no answer"), PATIENCE);
}
