// Access that the type system cannot prove: a missing value is an error of this program, not of its input, and is
// reported as such (exit code 5) instead of spreading as `undefined`.

/** The element of an array at an index that exists. @throws RangeError where it does not */
export function elementAt<T>(values: ArrayLike<T>, index: number): T {
  const value = values[index];
  if (value === undefined) throw new RangeError(`no element at index ${index} of ${values.length}`);
  return value;
}

/** A value that is present. @throws TypeError where it is null or undefined */
export function defined<T>(value: T): NonNullable<T> {
  if (value === undefined || value === null) throw new TypeError(`a value is missing: ${value}`);
  return value;
}

/** Closes a switch over a union: does not compile if a member is missing. */
export function assertNever(value: never): never {
  throw new TypeError(`unexpected value: ${JSON.stringify(value)}`);
}
