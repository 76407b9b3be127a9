/** Values without quotes, commas or braces as one PostgreSQL array: the driver would look at each for what to escape. */
export function arrayLiteral(values: (number | bigint | string | null)[]): string {
  return `{${values.map((value) => value ?? 'null').join(',')}}`
}
