/** JSON text → values, at a cost that the text's size bounds, whatever a stranger wrote. */
import { JsonViolation } from './violation.ts'

// Each new name makes the engine that parses it work and keep something: 10,000 take it 8 to 35 ms, 400,000 seconds.
const namesMax = 10_000
// Less text cannot hold more names: `"a":1,`.
const suspectChars = 6 * namesMax
// Every value passes through a function of ours: more than this would take longer than 50 ms.
const exactCharsMax = 131_072

const quote = 34
const backslash = 92
const colon = 58

/** As JSON.parse, whose SyntaxError it throws; a JsonViolation if objects name more different fields than `namesMax`. */
export function parseJson(text: string): unknown {
  if (text.length >= suspectChars && hasMoreNames(text, namesMax))
    throw new JsonViolation(`objects have more than ${namesMax} different field names in all`)
  return JSON.parse(text)
}

/** As `parseJson`, but keeps the digits of integers which a double cannot hold, as BigInt. */
export function parseExactly(text: string): unknown {
  if (text.length > exactCharsMax)
    throw new JsonViolation('integers beyond 2^53 have to be in quotes when there is this much else')
  const revive = (_key: string, value: unknown, context?: { source?: string }): unknown => {
    const source = context?.source
    const isInexact =
      typeof value === 'number' && source !== undefined && !Number.isSafeInteger(value) && /^-?\d{1,20}$/.test(source)
    return isInexact ? BigInt(source) : value
  }
  return JSON.parse(text, revive as (key: string, value: unknown) => unknown)
}

/** Goes from string to string; one before a colon is a name. Text that is no JSON may be counted wrongly: it is refused anyway. */
function hasMoreNames(text: string, max: number): boolean {
  const names = new Set<string>()
  for (let start = text.indexOf('"'); start >= 0;) {
    const end = endOfString(text, start + 1)
    let next = end + 1
    while (next < text.length && text.charCodeAt(next) <= 32) next++
    if (text.charCodeAt(next) === colon && names.add(text.slice(start + 1, end)).size > max) return true
    start = text.indexOf('"', next)
  }
  return false
}

function endOfString(text: string, from: number): number {
  let at = from
  while (at < text.length && text.charCodeAt(at) !== quote) at += text.charCodeAt(at) === backslash ? 2 : 1
  return at
}
