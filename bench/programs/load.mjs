// How long the remembered decisions of a folder take to load.  Usage: load.mjs INSIDE FOLDER
const [inside, folder] = process.argv.slice(2);
const { timeToLoad } = await import(inside);
const { ms, count } = await timeToLoad(folder);
console.log(`count ${count}\nms ${ms}`);
