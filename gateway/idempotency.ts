/** `Idempotency-Key` ⇄ `request_id`, wherever a request has that field. */
import { randomUUID } from 'node:crypto'
import { ScalarType, type DescField, type DescMessage } from '@bufbuild/protobuf'
import { fieldViolation, type Route, type Tree } from './transcoder/transcoder.ts'

/** Where a request can hold request IDs. */
interface Places {
  /** Of the request itself. */
  readonly own: boolean
  /** Message fields with one of their own: `CreateTaskRequest.task`. */
  readonly inside: readonly DescField[]
  /** Repeated message fields with one in each item: `BatchCreateTasksRequest.requests`. */
  readonly items: readonly DescField[]
}

const known = new WeakMap<Route, Places>()

/**
 * Sees to it that a request which can have a request ID has one: the caller's, that of `Idempotency-Key`, or a new one.
 *
 * Answers whether the call can be repeated safely because of it. A batch is only if each of its items has one; there a
 * key stands for the whole and becomes one request ID for each item.
 */
export function fillRequestId(route: Route, key: string | undefined, request: Tree): boolean {
  const places = knownPlaces(route)
  if (!places.own && places.items.length === 0) return false
  const header = key === undefined ? undefined : readKey(key)
  if (places.own) return fillOwn(request, places.inside, header)
  return places.items.every((field) => fillItems(valueOf(request, field), header))
}

/** Whether a request of this route can have a request ID, so that `Idempotency-Key` means something. */
export function canHaveRequestId(route: Route): boolean {
  const { own, items } = knownPlaces(route)
  return own || items.length > 0
}

function knownPlaces(route: Route): Places {
  let places = known.get(route)
  if (places === undefined) known.set(route, (places = placesOf(route.method.input)))
  return places
}

function fillOwn(request: Tree, inside: readonly DescField[], header: string | undefined): boolean {
  const given = [request, ...inside.map((field) => valueOf(request, field))]
    .map(requestIdOf)
    .find((id) => id !== undefined)
  if (header !== undefined && given !== undefined && given !== header) {
    throw fieldViolation('request_id', 'is not what the header Idempotency-Key says')
  }
  if (given === undefined) {
    delete request['request_id']
    request['requestId'] = header ?? randomUUID()
  }
  return true
}

function fillItems(items: unknown, header: string | undefined): boolean {
  if (!Array.isArray(items) || items.length === 0) return false
  let isComplete = true
  items.forEach((item: unknown, index) => {
    if (typeof item !== 'object' || item === null) return
    const isGiven = [item, ...Object.values(item)].some((value) => requestIdOf(value) !== undefined)
    if (!isGiven && header !== undefined) (item as Tree)['requestId'] = `${header}-${index}`
    isComplete &&= isGiven || header !== undefined
  })
  return isComplete
}

function placesOf(input: DescMessage): Places {
  const messages = input.fields.filter((field) => field.message !== undefined && hasRequestId(field.message))
  return {
    own: hasRequestId(input),
    inside: messages.filter((field) => field.fieldKind === 'message'),
    items: messages.filter((field) => field.fieldKind === 'list'),
  }
}

function hasRequestId(message: DescMessage): boolean {
  return message.fields.some(
    (field) => field.name === 'request_id' && field.fieldKind === 'scalar' && field.scalar === ScalarType.STRING,
  )
}

function valueOf(request: Tree, field: DescField): unknown {
  return request[field.jsonName] ?? request[field.name]
}

function requestIdOf(value: unknown): string | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  const { requestId, request_id: snake } = value as Tree
  const id = requestId ?? snake
  return typeof id === 'string' && id !== '' ? id : undefined
}

/** The header's value: the IETF draft puts it in quotes, most callers do not. */
function readKey(key: string): string {
  const plain = /^"(.*)"$/.exec(key)?.[1] ?? key
  if (!/^[\x21-\x7e]{1,128}$/.test(plain))
    throw fieldViolation('Idempotency-Key', 'expected 1 to 128 visible ASCII characters')
  return plain
}
