/** Checks that a handler's value can be stored as google.protobuf.Struct, before it is put on the wire. */

/** A value that JSON can hold. */
export type Json = null | boolean | number | string | Json[] | { [key: string]: Json | undefined }

/** An object that JSON can hold: what payloads, results and progress are. */
export type JsonObject = { [key: string]: Json | undefined }

// protobuf readers refuse messages nested deeper than 100, and each level of a Struct takes three.
const depthMax = 30

/**
 * Copies a value as JSON would write it (`toJSON` honoured, undefined fields left out).
 *
 * Throws a TypeError that names the path of what JSON cannot hold: functions, symbols, bigints, NaN, circles,
 * and anything nested deeper than 30 levels. JSON.stringify would drop or change some of these in silence.
 */
export function toStruct(value: unknown, name: string): JsonObject {
  const copied = copy(value, name, depthMax)
  if (typeof copied !== 'object' || copied === null || Array.isArray(copied)) {
    throw new TypeError(`${name} must be an object, got ${describe(copied)}`)
  }
  return copied
}

function copy(value: unknown, path: string, depthLeft: number): Json {
  if (hasToJson(value)) return copy(value.toJSON(''), path, depthLeft)
  if (value === null || typeof value === 'boolean' || typeof value === 'string') return value
  if (typeof value === 'number') {
    if (!Number.isFinite(value)) throw new TypeError(`${path} is ${value}, which JSON cannot hold`)
    return value
  }
  if (typeof value !== 'object') throw new TypeError(`${path} is ${describe(value)}, which JSON cannot hold`)
  if (depthLeft === 0) throw new TypeError(`${path} is nested deeper than ${depthMax} levels, or is circular`)
  if (Array.isArray(value)) return value.map((item, index) => copy(item ?? null, `${path}[${index}]`, depthLeft - 1))
  const fields = Object.entries(value).filter(([, field]) => field !== undefined)
  return Object.fromEntries(fields.map(([key, field]) => [key, copy(field, `${path}.${key}`, depthLeft - 1)]))
}

function hasToJson(value: unknown): value is { toJSON(key: string): unknown } {
  return typeof value === 'object' && value !== null && 'toJSON' in value && typeof value.toJSON === 'function'
}

function describe(value: unknown): string {
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'an array'
  return typeof value === 'undefined' ? 'undefined' : `a ${typeof value}`
}
