import { readFileSync } from "node:fs";
import type { FunctionOptions, TokenSelection } from "../../src/naming/index.ts";

/** The rows of vectors/naming.json, as docs/naming.md describes them. Byte strings are hex. */
export interface FunctionRow {
  readonly source: string;
  readonly function: string;
  readonly options?: FunctionOptions;
  readonly input?: string;
  readonly key?: string;
  readonly message?: string;
  readonly output: string;
}

export interface EpochRow {
  readonly source: string;
  readonly unit: number;
  readonly round: string;
  readonly instant: number;
}

export interface NamingRow {
  readonly source: string;
  readonly recipe: {
    readonly function: string;
    readonly nameKey?: { info: string; salt?: string; length?: number };
    readonly options?: FunctionOptions;
  };
  readonly staticUri: string;
  readonly secret: string;
  readonly endpoint: string;
  readonly instant?: number;
  readonly counter?: number;
}

export interface NameRow extends NamingRow {
  readonly nameKey: string;
  readonly message: string;
  readonly input?: string;
  readonly derivative: string;
  readonly token: string;
  readonly host: string;
  readonly uri: string;
}

interface Vectors {
  readonly functions: readonly FunctionRow[];
  readonly encodings: readonly { source: string; encoding: TokenSelection["encoding"]; bytes: string; text: string }[];
  readonly tokens: readonly { source: string; token: TokenSelection; derivative: string; text: string }[];
  readonly epochs: readonly (EpochRow & { rounded: number; start: number; end: number })[];
  readonly liveEpochs: readonly (EpochRow & { lead: number; grace: number; rounded: readonly number[] })[];
  readonly names: readonly NameRow[];
  readonly errors: readonly (NamingRow & { code: string })[];
}

export const vectors = JSON.parse(readFileSync(new URL("../../vectors/naming.json", import.meta.url), "utf8")) as Vectors;
