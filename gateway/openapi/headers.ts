/** The headers of requests and answers that operations share, and which operation has which. */
import type { Schema } from './schemas.ts'

const text = { type: 'string' }

/** `components.parameters`. */
export const requestHeaders = {
  IdempotencyKey: {
    name: 'Idempotency-Key',
    in: 'header',
    description:
      'Makes repeats of a call one call: the `request_id` of the request. With another body it is refused as 422.',
    schema: { type: 'string', minLength: 1, maxLength: 128, pattern: '^[!-~]+$' },
    example: 'order-17',
  },
  IfNoneMatch: {
    name: 'If-None-Match',
    in: 'header',
    description: 'The `ETag` of an earlier answer: while the answer would be the same it is 304 without a body.',
    schema: text,
  },
  CacheControl: {
    name: 'Cache-Control',
    in: 'header',
    description:
      '`no-cache` asks the service anew, `no-store` keeps nothing besides, `max-age=5` takes nothing older than 5 seconds, `only-if-cached` is 504 where nothing is kept.',
    schema: text,
    example: 'no-cache',
  },
  LastEventId: {
    name: 'Last-Event-ID',
    in: 'header',
    description: 'The ID of the last event that was seen: the stream goes on after it.',
    schema: text,
  },
  Prefer: {
    name: 'Prefer',
    in: 'header',
    description:
      '`handling=lenient` skips fields of body and query that there are not, which are refused otherwise (RFC 7240).',
    schema: text,
    example: 'handling=lenient',
  },
  RequestId: {
    name: 'X-Request-Id',
    in: 'header',
    description:
      'What to call this request in answer and logs; another ID is made up for one that is not of this form.',
    schema: { type: 'string', pattern: '^[A-Za-z0-9_.:/+=-]{1,128}$' },
  },
  RequestTimeout: {
    name: 'Request-Timeout',
    in: 'header',
    description: 'How long the caller will wait, in seconds; `Grpc-Timeout: 2500m` says the same in the words of gRPC.',
    schema: { type: 'string', pattern: '^[0-9]{1,5}(\\.[0-9]{1,3})?$' },
    example: '2.5',
  },
} as const satisfies Readonly<Record<string, Schema>>

/** Those that every call of an RPC takes. */
export const everyRequest = ['RequestTimeout', 'Prefer', 'RequestId'] as const satisfies (keyof typeof requestHeaders)[]

/** `components.headers`. */
export const answerHeaders = {
  'X-Request-Id': { description: 'The ID of this request, also in the logs.', schema: text },
  RateLimit: {
    description:
      'How many requests are left (`r`) until the window ends in `t` seconds; `RateLimit-Limit`, `-Remaining` and `-Reset` say it one by one.',
    schema: text,
    example: '"principal";r=999;t=60',
  },
  'RateLimit-Policy': {
    description: 'Whose requests are counted, and how many (`q`) they may be in `w` seconds.',
    schema: text,
    example: '"principal";q=1000;w=60',
  },
  'Preference-Applied': { description: 'That what `Prefer` asked for was done.', schema: text },
  Deprecation: { description: 'Since when this path should not be used any more (RFC 9745).', schema: text },
  Sunset: { description: 'When this path stops to work (RFC 8594).', schema: text },
  ETag: { description: 'Of this answer, for `If-None-Match`.', schema: text },
  'X-Cache': {
    description: 'Whether an earlier answer was used.',
    schema: { type: 'string', enum: ['HIT', 'MISS', 'BYPASS'] },
  },
  Age: { description: 'How many seconds ago an earlier answer was given.', schema: { type: 'integer', minimum: 0 } },
  Warning: {
    description: '`110` on an earlier answer that is too old, given because the service cannot be reached.',
    schema: text,
  },
  'Retry-After': { description: 'Seconds after which a repeat makes sense.', schema: { type: 'integer', minimum: 0 } },
  Allow: { description: 'With 405: what is possible here.', schema: text },
  'WWW-Authenticate': { description: 'With 401: what kind of credential is needed.', schema: text },
} as const satisfies Readonly<Record<string, Schema>>

const everyAnswer = [
  'X-Request-Id',
  'RateLimit',
  'RateLimit-Policy',
  'Preference-Applied',
  'Deprecation',
  'Sunset',
] as const
const read = ['ETag', 'X-Cache', 'Age', 'Warning'] as const
const refused = ['X-Request-Id', 'RateLimit', 'RateLimit-Policy', 'Retry-After', 'Allow', 'WWW-Authenticate'] as const

/** What an operation takes besides path and query. */
export function requestHeadersOf(operation: {
  isRead: boolean
  takesRequestId: boolean
  takesLastEventId: boolean
}): { $ref: string }[] {
  const names: (keyof typeof requestHeaders)[] = [
    ...(operation.takesRequestId ? (['IdempotencyKey'] as const) : []),
    ...(operation.takesLastEventId ? (['LastEventId'] as const) : []),
    ...(operation.isRead ? (['IfNoneMatch', 'CacheControl'] as const) : []),
    ...everyRequest,
  ]
  return names.map((name) => ({ $ref: `#/components/parameters/${name}` }))
}

/** The headers of an answer, or of a refusal. */
export function answerHeadersOf(kind: 'read' | 'other' | 'refused'): Schema {
  const names = kind === 'refused' ? refused : kind === 'read' ? [...everyAnswer, ...read] : everyAnswer
  return Object.fromEntries(names.map((name) => [name, { $ref: `#/components/headers/${name}` }]))
}
