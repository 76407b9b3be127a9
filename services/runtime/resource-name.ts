/** Resource names such as `projects/{project}/tasks/{task}`, in the manner of AIP-122. */
import { invalidArgument } from './status.ts'

/** The variables of a pattern: `{ project: string, task: string }`. */
export type NameParts<Pattern extends string> = Pattern extends `${string}{${infer Variable}}${infer Rest}`
  ? { [K in Variable]: string } & NameParts<Rest>
  : unknown

const segmentLengthMax = 128
const segment = /^[A-Za-z0-9~_.-]+$/

/**
 * The variables of `name` by `pattern`.
 *
 * Refused as INVALID_ARGUMENT on `field` unless the name has exactly the pattern's shape and every variable is 1 to 128
 * letters, digits, `-`, `_`, `.` or `~`.
 */
export function parseName<const Pattern extends string>(
  pattern: Pattern,
  name: string,
  field: string,
): NameParts<Pattern> {
  const parts = matchName(pattern, name)
  if (!parts) throw invalidArgument({ field, description: `must have the form ${pattern}` })
  return parts
}

/** Like `parseName`, but answers undefined for a name that does not fit. */
export function matchName<const Pattern extends string>(
  pattern: Pattern,
  name: string,
): NameParts<Pattern> | undefined {
  const expected = pattern.split('/')
  const given = name.split('/')
  if (expected.length !== given.length) return undefined
  const parts: Record<string, string> = {}
  for (const [index, want] of expected.entries()) {
    const have = given[index]!
    if (!want.startsWith('{')) {
      if (want !== have) return undefined
    } else {
      if (have.length > segmentLengthMax || !segment.test(have)) return undefined
      parts[want.slice(1, -1)] = have
    }
  }
  return parts as NameParts<Pattern>
}

/** The name that `parts` make by `pattern`, the reverse of `parseName`. */
export function formatName<const Pattern extends string>(pattern: Pattern, parts: NameParts<Pattern>): string {
  return pattern.replace(/\{(\w+)\}/g, (_, variable: string) => (parts as Record<string, string>)[variable]!)
}
