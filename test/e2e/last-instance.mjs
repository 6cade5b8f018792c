/** A policy as a user may write it: everybody goes to the last instance. */
export function choose(devices, instances) {
  const last = instances
    .map(({ id }) => id)
    .sort()
    .at(-1);
  return devices.map(() => last);
}
