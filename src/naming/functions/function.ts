/** What a recipe may say beside the name of its function. */
export interface FunctionOptions {
  /** HKDF's salt, in hex; none: RFC 5869's default of 32 zero bytes. */
  readonly salt?: string;
  /** Bytes of HKDF output; none: 32. */
  readonly length?: number;
}

interface FunctionBase {
  /** As recipes write it. */
  readonly name: string;
  /** Which {@link FunctionOptions} it understands; any other is an error in the recipe. */
  readonly options: readonly (keyof FunctionOptions)[];
  /** Bytes of the derivative. */
  outputLength(options: FunctionOptions): number;
}

/** Hashes one input, into which the recipe combines secret and parameters (N2). */
export interface HashFunction extends FunctionBase {
  readonly kind: "hash";
  derive(input: Uint8Array): Uint8Array;
}

/** Takes the secret as its key and the parameters as its message (N2). */
export interface KeyedFunction extends FunctionBase {
  readonly kind: "keyed";
  derive(key: Uint8Array, message: Uint8Array, options: FunctionOptions): Uint8Array;
}

export type DerivativeFunction = HashFunction | KeyedFunction;
