/** A copy of a protobuf message that shares its fields; replace them, never change them in place. */
export function shallowCopy<T extends object>(message: T, changes: Partial<T> = {}): T {
  const copy = Object.create(
    Object.getPrototypeOf(message) as object | null,
    Object.getOwnPropertyDescriptors(message),
  ) as T;
  return Object.assign(copy, changes);
}
