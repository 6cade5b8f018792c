import { encodeContent } from "./codec.ts";
import { ContentFormat, isWriteFormat, WRITE_FORMATS } from "./content-format.ts";
import { formatPath } from "./path.ts";
import type { BootstrapProfile } from "./profile.ts";
import { fillInstance, type InstanceTemplate, isStatic, profileInstances } from "./profile-instances.ts";
import type { BootstrapStep, CompiledProfile, DeviceFacts } from "./steps.ts";

/**
 * Works out what does not depend on the device, once; writes without placeholders keep their payload.
 * One Bootstrap-Write is made for each Object Instance: every known client takes those.
 */
export function compileProfile(profile: BootstrapProfile): CompiledProfile {
  const deletes: BootstrapStep[] = profile.delete.map((path) => ({ kind: "delete", path }));
  const writes = profileInstances(profile).instances.map(compileWrite);
  const finish: BootstrapStep = { kind: "finish" };
  const fixed = profile.contentFormat === undefined ? undefined : WRITE_FORMATS[profile.contentFormat];
  return {
    discovers: true,
    freshKeys: [],
    formats(clientFormat) {
      const first = [fixed, clientFormat].filter((format) => format !== undefined && isWriteFormat(format));
      const all = [...first, ContentFormat.tlv, ContentFormat.senmlCbor, ContentFormat.senmlJson];
      return [...new Set(all.filter((format) => format !== undefined))];
    },
    plan: (device) => ({
      steps: [...deletes, ...writes.map((write) => write(device)), finish],
      correct: () => [],
    }),
    pack: () => "cannot",
  };
}

function compileWrite(template: InstanceTemplate): (device: DeviceFacts) => BootstrapStep {
  const path = [template.objectId, template.id];
  const text = formatPath(path);
  const make = (device: DeviceFacts): BootstrapStep => {
    const instance = fillInstance(template, device);
    const kept = new Map<number, Uint8Array>();
    return {
      kind: "write",
      path: text,
      payload(format) {
        const payload = kept.get(format) ?? encodeContent(format, path, [instance]);
        kept.set(format, payload);
        return payload;
      },
    };
  };
  if (!isStatic(template)) return make;
  const once = make({ endpoint: "", attributes: {} });
  return () => once;
}
