/** What the gateway answers itself, with no service behind it: the places of `front.ts` and `admin.ts`. */
import type { Operation } from './document.ts'
import { answerHeadersOf } from './headers.ts'
import type { Schema } from './schemas.ts'

/** The tag of these operations. */
export const ownTag = {
  name: 'Gateway',
  description: 'The gateway itself. `/admin/` is for admins of the project that runs the installation.',
}

const count = { type: 'integer', minimum: 0 }
const counted = ['hit', 'stale', 'miss', 'bypass', 'refresh', 'invalidation'] as const

/** `components.schemas`. */
export const ownSchemas: Readonly<Record<string, Schema>> = {
  CacheStatistics: {
    type: 'object',
    required: ['store'],
    additionalProperties: false,
    properties: {
      store: {
        type: 'string',
        enum: ['memory', 'redis', 'off'],
        description: 'Where answers are kept; with `off` none are, and nothing else is told.',
      },
      counts: {
        type: 'object',
        description:
          'What became of reads since this gateway started, how many answers were renewed early, and how many changes ended some.',
        required: counted,
        properties: Object.fromEntries(counted.map((name) => [name, count])),
        additionalProperties: false,
      },
      hitRatio: {
        type: 'number',
        minimum: 0,
        maximum: 1,
        description: 'Share of reads that were answered from what is kept.',
      },
      entries: { ...count, description: 'Answers that this gateway keeps in its own memory.' },
      bytes: { ...count, description: 'What they take, in bytes.' },
    },
  },
}

const nothing = {
  schema: { type: 'object', additionalProperties: false },
  example: {},
}

/** The paths. */
export const ownPaths: Readonly<Record<string, Record<string, Operation>>> = {
  '/healthz': {
    get: {
      ...operation('Health', 'Whether the gateway is alive. Needs no key and is not limited.'),
      security: [],
      responses: {
        200: {
          description: 'It is.',
          content: { 'text/plain': { schema: { type: 'string' }, example: 'ok\n' } },
        },
        default: { $ref: '#/components/responses/Error' },
      },
    },
  },
  '/admin/cache': {
    get: administration('ReadCache', 'How the cache does.', {
      schema: { $ref: '#/components/schemas/CacheStatistics' },
      example: {
        store: 'memory',
        counts: { hit: 90, stale: 0, miss: 10, bypass: 0, refresh: 2, invalidation: 5 },
        hitRatio: 0.9,
        entries: 10,
        bytes: 12_345,
      },
    }),
    delete: administration('ClearCache', 'Ends everything that the cache keeps.', nothing),
  },
  '/admin/shutdown': {
    post: administration('ShutDown', 'Lets requests finish, then ends this gateway, as SIGTERM does.', nothing),
  },
}

function administration(name: string, summary: string, content: Schema): Operation {
  return {
    ...operation(name, summary, '\n\nNeeds the role admin.'),
    responses: {
      200: { description: 'Done.', headers: answerHeadersOf('other'), content: { 'application/json': content } },
      default: { $ref: '#/components/responses/Error' },
    },
  }
}

function operation(name: string, summary: string, more = ''): Operation {
  return {
    operationId: `${ownTag.name}_${name}`,
    tags: [ownTag.name],
    summary,
    description: summary + more,
    parameters: [],
  }
}
