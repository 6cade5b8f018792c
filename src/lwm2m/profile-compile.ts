import { encodeContent } from "./codec.ts";
import { ContentFormat, isWriteFormat, WRITE_FORMATS } from "./content-format.ts";
import { formatPath } from "./path.ts";
import type { BootstrapProfile } from "./profile.ts";
import { fillInstance, type InstanceTemplate, isStatic, profileInstances } from "./profile-instances.ts";
import type { BootstrapStep, CompiledProfile, DeviceFacts } from "./steps.ts";

type MakeStep = (device: DeviceFacts, format: number) => BootstrapStep;

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
    steps(device, clientFormat) {
      const format = fixed ?? (clientFormat !== undefined && isWriteFormat(clientFormat) ? clientFormat : ContentFormat.tlv);
      return [...deletes, ...writes.map((write) => write(device, format)), finish];
    },
  };
}

function compileWrite(template: InstanceTemplate): MakeStep {
  const path = [template.objectId, template.id];
  const text = formatPath(path);
  const make: MakeStep = (device, contentFormat) => {
    const instance = fillInstance(template, device);
    return { kind: "write", path: text, contentFormat, payload: encodeContent(contentFormat, path, [instance]), instance };
  };
  if (!isStatic(template)) return make;
  const kept = new Map<number, BootstrapStep>();
  return (device, format) => {
    const step = kept.get(format) ?? make(device, format);
    kept.set(format, step);
    return step;
  };
}
