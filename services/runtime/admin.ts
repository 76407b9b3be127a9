/** The HTTP port that operators and probes read: `/livez` (also `/healthz`), `/readyz`, `/metrics`. */
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { listenError } from './listen.ts'
import { splitAddress } from '@flowforge/grpc/split-address'
import type { Logger } from './log.ts'
import { registry } from './metrics.ts'

export interface AdminOptions {
  listen: string
  /** Whether the process wants work now; a rejection counts as no. */
  ready: () => boolean | Promise<boolean>
  log: Logger
}

export interface Admin {
  port: number
  stop(): Promise<void>
}

/** Starts the admin port. It speaks plain HTTP to everybody who can reach it, so it tells nothing about users. */
export async function startAdmin(options: AdminOptions): Promise<Admin> {
  const { listen, ready, log } = options
  const server = createServer((request, response) => {
    void answer(request.url ?? '/', response, ready).catch((error: unknown) => {
      log.error({ err: error }, 'the admin port failed')
      respond(response, 500, 'internal error\n')
    })
  })
  const { host, port } = splitAddress(listen)
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) => reject(listenError(listen, error)))
    server.listen(port, host, resolve)
  })
  return {
    port: (server.address() as AddressInfo).port,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

async function answer(url: string, response: ServerResponse, ready: AdminOptions['ready']): Promise<void> {
  switch (url.split('?')[0]) {
    case '/livez':
    case '/healthz':
      return respond(response, 200, 'ok\n')
    case '/readyz': {
      const isReady = await isTrue(ready)
      return respond(response, isReady ? 200 : 503, isReady ? 'ready\n' : 'not ready\n')
    }
    case '/metrics':
      return respond(response, 200, await registry.metrics(), registry.contentType)
    default:
      return respond(response, 404, 'not found; try /livez, /readyz or /metrics\n')
  }
}

async function isTrue(ready: AdminOptions['ready']): Promise<boolean> {
  try {
    return await ready()
  } catch {
    // A check that fails is an answer: not ready.
    return false
  }
}

function respond(response: ServerResponse, code: number, body: string, type = 'text/plain; charset=utf-8'): void {
  response.writeHead(code, { 'content-type': type }).end(body)
}
