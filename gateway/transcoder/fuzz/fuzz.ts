/**
 * Throws broken requests and answers at the transcoder's inside: paths, queries and bodies that begin as right ones and
 * are then spoiled, and bytes that are almost messages.
 */
import { createFileRegistry, fromBinary, toBinary } from '@bufbuild/protobuf'
import { FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt'
import { RpcError } from '../errors.ts'
import { JsonCodec } from '../json/codec.ts'
import { MalformedPath } from '../path/match-table.ts'
import { encodeRequest } from '../request.ts'
import { compileRoutes } from '../routes.ts'
import { Random } from '../differential/random.ts'
import { WireError } from '../wire/reader.ts'
import { answers, bodies, pieces, urls } from './corpus.ts'

export interface FuzzResult {
  readonly inputs: number
  /** That were no errors after all. */
  readonly accepted: number
  /** The longest that one input kept a processor busy, in ms. */
  readonly slowestMs: number
  readonly slowest: string
}

const mutationsMax = 4

/** Tries `count` inputs; throws the first error that is none of the transcoder's own. */
export function fuzz(descriptors: Uint8Array, count: number, seed: number): FuzzResult {
  const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, descriptors))
  const codec = new JsonCodec(registry)
  const table = compileRoutes(registry, codec, () => true)
  const everything = registry.getMessage('example.v1.Everything')!
  const decode = codec.decoder(everything)
  const random = new Random(seed)
  const samples = answers(registry).map((message) => Buffer.from(toBinary(everything, message)))

  const tryRequest = ({ method, url, body }: { method: string; url: string; body: string }): boolean => {
    const mark = url.indexOf('?')
    try {
      const lookup = table.find(method, mark < 0 ? url : url.slice(0, mark))
      if (lookup.kind !== 'match') return false
      const { value: route, variables } = lookup.match
      const query = mark < 0 ? '' : url.slice(mark + 1)
      const parts = {
        variables,
        query,
        body: Buffer.from(body),
        contentType: 'application/json',
        skipsUnknown: random.chance(0.2),
      }
      encodeRequest(route, parts, () => undefined)
      return true
    } catch (error) {
      if (error instanceof RpcError || error instanceof MalformedPath) return false
      throw new Error(`${method} ${url.slice(0, 500)} ${body.slice(0, 500)}`, { cause: error })
    }
  }
  const tryAnswer = (bytes: Buffer): boolean => {
    try {
      JSON.parse(decode(bytes))
      return true
    } catch (error) {
      // RangeError is what has no JSON form: times outside the years 1 to 9999, numbers in a Value that are none.
      if (error instanceof WireError || error instanceof RangeError) return false
      throw new Error(`answer ${bytes.toString('hex').slice(0, 1_000)}`, { cause: error })
    }
  }

  let accepted = 0
  let slowestMs = 0
  let slowest = ''
  for (let input = 0; input < count; input++) {
    let attempt: () => boolean
    let shown: () => string
    if (random.chance(0.7)) {
      const method = random.pick(['GET', 'POST', 'PATCH', 'PUT', 'PURGE'])
      const request = { method, url: spoiled(random, random.pick(urls)), body: spoiled(random, random.pick(bodies)) }
      attempt = () => tryRequest(request)
      shown = () => JSON.stringify(request).slice(0, 300)
    } else {
      const bytes = spoiledBytes(random, random.pick(samples))
      attempt = () => tryAnswer(bytes)
      shown = () => `answer ${bytes.toString('hex').slice(0, 300)}`
    }
    const ms = timed(attempt, () => accepted++)
    if (ms <= slowestMs) continue
    slowestMs = ms
    slowest = shown()
  }
  return { inputs: count, accepted, slowestMs, slowest }
}

/**
 * How long it works, in ms: not what a clock says, for the machine may do something else meanwhile. Measured again when
 * it seems long, for the same process also collects its garbage.
 */
function timed(attempt: () => boolean, onAccepted: () => void): number {
  let best = Number.POSITIVE_INFINITY
  for (let turn = 0; turn < 4 && best > 10; turn++) {
    const before = process.cpuUsage()
    const isAccepted = attempt()
    const { user, system } = process.cpuUsage(before)
    best = Math.min(best, (user + system) / 1_000)
    if (turn === 0 && isAccepted) onAccepted()
  }
  return best
}

function spoiled(random: Random, text: string): string {
  let result = text
  for (let left = random.integer(0, mutationsMax); left > 0; left--) {
    const at = random.integer(0, result.length)
    const end = Math.min(result.length, at + random.integer(0, 6))
    switch (random.integer(0, 5)) {
      case 0:
        result = result.slice(0, at) + result.slice(end)
        break
      case 1:
        result = result.slice(0, at) + String.fromCharCode(random.integer(0, 0xffff)) + result.slice(at)
        break
      case 2:
        result = result.slice(0, at) + result.slice(at, end).repeat(random.integer(2, 50)) + result.slice(end)
        break
      case 3:
        result = result.slice(0, at) + String.fromCharCode(random.integer(32, 126)) + result.slice(end)
        break
      default:
        result = result.slice(0, at) + random.pick(pieces) + result.slice(end)
    }
  }
  return result
}

function spoiledBytes(random: Random, bytes: Buffer): Buffer {
  let result = Buffer.from(bytes)
  for (let left = random.integer(0, mutationsMax); left > 0; left--) {
    const at = random.integer(0, result.length)
    if (random.chance(0.5) && at < result.length) result[at] = random.integer(0, 255)
    else if (random.chance(0.5))
      result = Buffer.concat([result.subarray(0, at), result.subarray(random.integer(0, result.length))])
    else result = result.subarray(0, at)
  }
  return result
}
