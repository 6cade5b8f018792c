import { extname } from "node:path";
import { Worker } from "node:worker_threads";

/**
 * Starts a thread.
 * @param file its module, with the extension of the caller's: `.js` when built. Node starts no thread from TypeScript, so when
 *   run from source a line of JavaScript tells tsx of the new thread first.
 * @param data what the thread finds as `workerData`
 */
export function startThread(file: URL, data: unknown): Worker {
  if (extname(file.pathname) === ".js") return new Worker(file, { workerData: data });
  const start = `import("tsx/esm/api").then(({ register }) => { register(); return import(${JSON.stringify(file.href)}); });`;
  return new Worker(start, { eval: true, workerData: data });
}
