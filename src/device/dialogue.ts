import { InvalidInput } from "../lib/errors.ts";
import { ContentFormat, isPackFormat, isPreferredFormat } from "../lwm2m/index.ts";
import type { LwM2mVersion } from "./operations.ts";

/** How a device speaks to its bootstrap server; all optional. */
export interface DialogueOptions {
  /** The LwM2M version it speaks. Default 1.1; 1.2 if `pack` is set. */
  readonly version?: LwM2mVersion;
  /**
   * Whether it asks for a Bootstrap-Pack first. Default: 1.2 does. A Pack is one exchange in place of a dozen, and a server
   * that has none says so at once, so asking costs one round trip; what the Pack cannot do, a Bootstrap-Request then does.
   */
  readonly pack?: boolean;
  /**
   * Content-Formats it asks for, best first: the first is that of the Pack and of the first Bootstrap-Request (`pct`), each
   * further one is asked for when the server refuses the one before with 4.15, and at last none. Default: SenML CBOR,
   * (1.2) LwM2M CBOR, SenML JSON, TLV; LwM2M 1.0 has no `pct`.
   */
  readonly formats?: readonly number[];
}

const DEFAULT_FORMATS: Readonly<Record<LwM2mVersion, readonly number[]>> = {
  "1.0": [],
  "1.1": [ContentFormat.senmlCbor, ContentFormat.senmlJson, ContentFormat.tlv],
  "1.2": [ContentFormat.senmlCbor, ContentFormat.lwm2mCbor, ContentFormat.senmlJson, ContentFormat.tlv],
};

/** The options with their defaults. @throws InvalidInput where they contradict each other */
export function dialogueOf(options: DialogueOptions): Required<DialogueOptions> {
  const { version = options.pack === true ? "1.2" : "1.1" } = options;
  const { pack = version === "1.2", formats = DEFAULT_FORMATS[version] } = options;
  if (pack && version !== "1.2") throw new InvalidInput(`pack: LwM2M ${version} has no Bootstrap-Pack, 1.2 has`);
  const wrong = formats.find((format) => !isPreferredFormat(format));
  if (wrong !== undefined)
    throw new InvalidInput(`formats: ${wrong} is none that a client may prefer; 112, 110, 11542 and 11544 are`);
  if (options.pack === true && !formats.some(isPackFormat))
    throw new InvalidInput("pack: none of formats is one a Bootstrap-Pack can have; 112, 110 and 11544 are");
  if (version === "1.0" && formats.length > 0) throw new InvalidInput("formats: LwM2M 1.0 has no pct");
  return { version, pack, formats };
}
