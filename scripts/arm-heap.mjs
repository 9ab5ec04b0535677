// Loaded before a program that is measured: tells its live heap whenever it is asked to by SIGUSR2.
process.on("SIGUSR2", () => {
  globalThis.gc();
  console.log(`heap ${process.memoryUsage().heapUsed}`);
});
