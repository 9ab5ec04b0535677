// What a concentrator writes and how long its processor works, by the number of its nodes, turn by turn in one process.
// Usage: nodes.mjs INSIDE FEW MANY ROUNDS
const [inside, few, many, rounds] = process.argv.slice(2);
const { lifeOfNodes } = await import(inside);

await lifeOfNodes(Number(many)); // the machine has seen the code
const samples = { fewBytes: [], fewCpu: [], manyBytes: [], manyCpu: [] };
// As many nodes on both sides: the few are lived through more than once.
const times = Number(many) / Number(few);
for (let round = 0; round < Number(rounds); round++) {
  let [bytes, cpu] = [0, 0];
  for (let time = 0; time < times; time++) {
    globalThis.gc();
    const life = await lifeOfNodes(Number(few));
    bytes += life.bytes;
    cpu += life.cpu;
  }
  samples.fewBytes.push(bytes);
  samples.fewCpu.push(cpu);
  globalThis.gc();
  const life = await lifeOfNodes(Number(many));
  samples.manyBytes.push(life.bytes);
  samples.manyCpu.push(life.cpu);
}
console.log(`samples ${JSON.stringify(samples)}`);
