// How much of the processor it takes to load the remembered decisions of a folder, helping threads included.  Usage: load.mjs INSIDE FOLDER
const [inside, folder] = process.argv.slice(2);
const { load } = await import(inside);
const before = process.cpuUsage();
const count = await load(folder);
const { user, system } = process.cpuUsage(before);
console.log(`count ${count}\nms ${(user + system) / 1_000}`);
