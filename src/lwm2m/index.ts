export { decodeContent, decodeSenmlPack, encodeContent } from "./codec.ts";
export { findInconsistencies } from "./consistency.ts";
export {
  ContentFormat,
  isPackFormat,
  isPreferredFormat,
  WRITE_FORMATS,
  type WriteFormatName,
} from "./content-format.ts";
export { type DiscoverAnswer, type DiscoverEntry, decodeDiscover, encodeDiscover } from "./discover.ts";
export { InvalidPath, MalformedContent, UnsupportedContentFormat } from "./errors.ts";
export { isLeshanConfig, type LeshanProfiles, parseLeshanConfig } from "./leshan.ts";
export {
  type MultipleResource,
  multiple,
  type ObjectInstance,
  type ObjectLink,
  objectInstance,
  type Resource,
  type ResourceType,
  type ResourceValue,
  resourceValue,
  type SingleResource,
  single,
  toInteger,
} from "./node.ts";
export { parseObjectXml } from "./object-xml.ts";
export {
  BERTH_OBJECT,
  BERTH_RESOURCES,
  CORE_OBJECTS,
  type ObjectDefinition,
  type ObjectDefinitions,
  type ResourceDefinition,
} from "./objects.ts";
export { formatPath, type Path, parsePath, uriPath } from "./path.ts";
export type { BootstrapAccount, BootstrapProfile, ServerAccount } from "./profile.ts";
export { compileProfile } from "./profile-compile.ts";
export { parseProfile, profileWarnings } from "./profile-parse.ts";
export { resolveProfile } from "./profile-resolve.ts";
export { fitsRange, type ValueRange } from "./range.ts";
export { SECURITY_MODE } from "./security-mode.ts";
export type { SenmlRecord } from "./senml-pack.ts";
export type {
  BootstrapPlan,
  BootstrapStep,
  BootstrapWrite,
  CompiledProfile,
  DeviceFacts,
  FreshKeys,
  FreshKeyWanted,
  PackContext,
  PlanContext,
} from "./steps.ts";
