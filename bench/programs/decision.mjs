// Decisions that are remembered against a map with a concatenated key, turn by turn in one process.
// Usage: decision.mjs INSIDE SERVERS ROUNDS
const [inside, servers, rounds] = process.argv.slice(2);
const { LRUCache, makeGuard, questionOf } = await import(inside);

const PARTIES = 500;
const EACH_ROUND = 10_000;
const signal = new AbortController().signal;
const { guard, asked } = await makeGuard(Number(servers));

// The same questions in every order in which their lists can come.
const questions = [];
for (let order = 0; order < 12; order++)
  for (let who = 0; who < PARTIES; who++) questions.push(questionOf(who, order * 5 + who));
for (const question of questions) await guard.decide(question, signal);
const before = asked();

// As one would write it who has no need of an order: each part once, nothing made on the way.
function keyOf({ kind, jid, tokens, types, nodes, fields }) {
  let key = `${kind}\n${jid}\n${tokens.serviceToken}\n${tokens.deviceToken}\n${tokens.userToken}`;
  for (const type of types) key += `\n${type}`;
  for (const { nodeId, sourceId, cacheType } of nodes) key += `\n${nodeId},${sourceId},${cacheType}`;
  for (const field of fields) key += `\n${field}`;
  return key;
}
const plain = new LRUCache({ max: 20_000 });
for (const question of questions) plain.set(keyOf(question), { outcome: "granted" });

let granted = 0;
async function ours() {
  const began = process.hrtime.bigint();
  for (let index = 0; index < EACH_ROUND; index++) {
    const decision = await guard.decide(questions[(index * 7) % questions.length], signal);
    if (decision.outcome === "granted") granted++;
  }
  return Number(process.hrtime.bigint() - began) / EACH_ROUND;
}
function theirs() {
  const began = process.hrtime.bigint();
  for (let index = 0; index < EACH_ROUND; index++) {
    const decision = plain.get(keyOf(questions[(index * 7) % questions.length]));
    if (decision.outcome === "granted") granted++;
  }
  return Number(process.hrtime.bigint() - began) / EACH_ROUND;
}

const samples = { ours: [], theirs: [] };
for (let round = -10; round < Number(rounds); round++) {
  const pair = round % 2 === 0 ? { ours: await ours(), theirs: theirs() } : { theirs: theirs(), ours: await ours() };
  if (round < 0) continue; // until it is compiled
  samples.ours.push(pair.ours);
  samples.theirs.push(pair.theirs);
}
if (granted !== (Number(rounds) + 10) * 2 * EACH_ROUND) throw new Error("not every decision was a yes");
if (asked() !== before) throw new Error("a server was asked: that is not what is to be measured");
console.log(`samples ${JSON.stringify(samples)}`);
