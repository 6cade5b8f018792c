import { encode, Token, Type } from "cborg";
import { UnencodableValue } from "./errors.ts";
import { isInteger64, type ResourceValue } from "./node.ts";
import { linkText } from "./typed-value.ts";

const OPTIONS = {
  // Maps keep the order they were made in.
  mapSorter: () => 0,
  // Clients exist whose decoder knows no floats of 16 bits (zcbor, used by Zephyr, before 0.7).
  float64: true,
  typeEncoders: {
    // -0 is a float: CBOR has no negative zero among its integers.
    number: (value: number) => (Object.is(value, -0) ? [new Token(Type.float, value)] : null),
    Object: (value: unknown) => (value instanceof Token ? [value] : null),
  },
};

/** The CBOR of arrays, maps and plain values; floats of whole numbers are {@link cborFloat}. */
export function encodeCbor(data: unknown): Uint8Array {
  return new Uint8Array(encode(data, OPTIONS));
}

/**
 * What {@link encodeCbor} is to be given for a value (LwM2M Core 1.2, appendix C.2, column CBOR and LwM2M CBOR): times
 * as seconds, object links as text.
 * @throws UnencodableValue
 */
export function cborData(value: ResourceValue): unknown {
  switch (value.type) {
    case "float":
      return new Token(Type.float, value.value);
    case "objlnk":
      return linkText(value.value);
    case "integer":
    case "unsigned":
    case "time":
      if (!isInteger64(value.type, value.value)) throw new UnencodableValue(`a value of type ${value.type} does not fit 64 bits`);
      return value.value;
    default:
      return value.value;
  }
}
