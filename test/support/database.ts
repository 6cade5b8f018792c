import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { PGlite } from "@electric-sql/pglite";

const CACHE = join("node_modules", ".cache");
const { version } = JSON.parse(readFileSync("node_modules/@electric-sql/pglite/package.json", "utf8")) as { version: string };
/** Where database files lie that nobody has used yet. Another version of PGlite may write others. */
const TEMPLATE = join(CACHE, `berth-test-database-${version}`);

/**
 * Puts a new database where `storage.folder` is to be: a copy, as to make one takes 4 s of CPU. That a balancer makes its
 * own is for the tests of storage and of the demo to see.
 */
export async function copyDatabase(folder: string): Promise<void> {
  if (!existsSync(TEMPLATE)) await makeTemplate();
  mkdirSync(folder);
  cpSync(TEMPLATE, join(folder, "pg"), { recursive: true });
}

/** Made beside its place, so that nobody copies half of it. */
async function makeTemplate(): Promise<void> {
  mkdirSync(CACHE, { recursive: true });
  const folder = mkdtempSync(join(CACHE, "berth-test-database-"));
  await (await PGlite.create(folder)).close();
  try {
    renameSync(folder, TEMPLATE);
  } catch (error) {
    // Another test was faster.
    rmSync(folder, { recursive: true });
    if (!existsSync(TEMPLATE)) throw error;
  }
}
