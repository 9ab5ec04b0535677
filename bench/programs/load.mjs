// How much of the processor it takes to load the remembered decisions of a folder, helping threads included.  Usage: load.mjs INSIDE FOLDER
const [inside, folder] = process.argv.slice(2);
const { load } = await import(inside);
const { count, ms } = await load(folder);
console.log(`count ${count}\nms ${ms}`);
