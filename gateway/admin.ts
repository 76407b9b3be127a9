/** What whoever runs the installation may do with this gateway: admins of one project, and nobody else. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { status } from '@grpc/grpc-js'
import type { Logger } from '@flowforge/runtime/log'
import type { Authenticate } from './authenticate.ts'
import type { OpenCache } from './cache/open-cache.ts'
import type { Place } from './front.ts'
import type { Limits } from './limits.ts'
import { refusal } from './refusal.ts'

export interface AdminOptions {
  readonly authenticate: Authenticate
  readonly limits: Limits
  /** The id of the project whose admins these are. */
  readonly project: string
  readonly cache: OpenCache | undefined
  /** Makes this process drain and end, as SIGTERM does. */
  shutdown(): void
  readonly log: Logger
}

/** The places under `/admin/`. */
export function adminPlaces(options: AdminOptions): Map<string, Place> {
  const { cache, log } = options
  const place = (answers: Record<string, (by: string) => unknown>): Place => ({
    methods: Object.keys(answers),
    async answer(request, response) {
      const by = await admit(request, response, options)
      sendJson(response, await answers[request.method ?? '']!(by))
    },
  })
  return new Map([
    [
      '/admin/cache',
      place({
        GET: () => cache?.statistics() ?? { store: 'off' },
        async DELETE(by) {
          await cache?.clear()
          log.info({ by }, 'the cache was cleared')
          return {}
        },
      }),
    ],
    [
      '/admin/shutdown',
      place({
        POST(by) {
          log.warn({ by }, 'told to shut down')
          options.shutdown()
          return {}
        },
      }),
    ],
  ])
}

/** Answers with whom it admitted. */
async function admit(
  request: IncomingMessage,
  response: ServerResponse,
  { authenticate, limits, project }: AdminOptions,
): Promise<string> {
  const principal = await authenticate(request.headers.authorization)
  await limits.ofPrincipal(principal.name, response)
  // Every project has admins of its own, who are no more than guests here.
  if (!principal.roles.has('admin') || !principal.projects.includes(`projects/${project}`)) {
    throw refusal(status.PERMISSION_DENIED, 'ROLE_MISSING', `this needs the role admin in projects/${project}`)
  }
  return principal.name
}

function sendJson(response: ServerResponse, value: unknown): void {
  const text = JSON.stringify(value)
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) }).end(text)
}
