import { closeSync, fsyncSync, openSync } from "node:fs";
import type { PGlite } from "@electric-sql/pglite";
import { NodeFS } from "@electric-sql/pglite/nodefs";

/** What we use of emscripten's NODEFS, the file system PGlite mounts on a folder. */
interface Nodefs {
  realPath(node: unknown): string;
  readonly stream_ops: { fsync?: (stream: OpenFile) => number };
}

interface OpenFile {
  /** The file's descriptor; folders are opened without one. */
  readonly nfd?: number;
  readonly node: unknown;
}

/** EIO as WASI numbers it; PostgreSQL stops at once when a sync fails, as it must. */
const WASI_EIO = 29;

/**
 * NODEFS does not pass fsync on to the disk. This one does, so that with {@link durableParameters} a committed row
 * survives a power cut, as it does in PostgreSQL.
 */
export class DurableNodeFS extends NodeFS {
  override async init(pg: PGlite, options: Parameters<NodeFS["init"]>[1]): ReturnType<NodeFS["init"]> {
    const { emscriptenOpts } = await super.init(pg, options);
    const passFsyncOn = (module: { NODEFS: unknown }): void => {
      const nodefs = module.NODEFS as Nodefs;
      nodefs.stream_ops.fsync = (file) => (file.nfd === undefined ? syncFolder(nodefs.realPath(file.node)) : syncFile(file.nfd));
    };
    return { emscriptenOpts: { ...emscriptenOpts, preRun: [...(emscriptenOpts.preRun ?? []), passFsyncOn] } };
  }
}

/** PGlite starts with `-F` (no fsync), and its fdatasync does nothing; so: no `-F`, and fsync instead of fdatasync. */
export function durableParameters(defaults: readonly string[]): string[] {
  return [...defaults.filter((parameter) => parameter !== "-F"), "-c", "wal_sync_method=fsync"];
}

function syncFile(descriptor: number): number {
  try {
    fsyncSync(descriptor);
    return 0;
  } catch {
    return WASI_EIO;
  }
}

/** Not every platform can sync a folder; PostgreSQL goes on then, and so do we. */
function syncFolder(path: string): number {
  try {
    const descriptor = openSync(path, "r");
    try {
      fsyncSync(descriptor);
    } finally {
      closeSync(descriptor);
    }
  } catch {
    return 0;
  }
  return 0;
}
