import type { ServiceDefinition } from '@grpc/grpc-js'
import { once } from 'node:events'
import type { TestContext } from 'node:test'
import { fromJson, toBinary, type JsonValue } from '@bufbuild/protobuf'
import { descriptorRegistry } from '@flowforge/proto/descriptors'
import {
  VerifyApiKeyRequest,
  VerifyApiKeyResponse,
  WatchApiKeysResponse,
  AuthServiceService,
} from '@flowforge/proto/flowforge/accounts/v1/auth_service.ts'
import { AccountServiceService } from '@flowforge/proto/flowforge/accounts/v1/account_service.ts'
import { Role } from '@flowforge/proto/flowforge/mesh/v1/policy.ts'
import { TaskServiceService } from '@flowforge/proto/flowforge/tasks/v1/task_service.ts'
import { WorkerServiceService } from '@flowforge/proto/flowforge/tasks/v1/worker_service.ts'
import { createHealth } from '@flowforge/runtime/health'
import { startServer, type CallContext, type RunningServer, type Service } from '@flowforge/runtime/server'
import { unauthenticated } from '@flowforge/runtime/status'
import { testCertificates } from '@flowforge/runtime/testing/certificates'
import { quietLog } from '@flowforge/runtime/testing/log'
import { readGatewayConfig } from '../config.ts'
import { startGateway } from '../gateway.ts'
import type { HttpServer } from '../server.ts'

/** What stands behind the gateway: answers what a test tells it to, over real gRPC and mTLS. */
export type Handler = (request: never, context: CallContext, send: (response: unknown) => Promise<void>) => unknown

export interface Behind {
  readonly url: string
  readonly gateway: HttpServer
  /** By camelCase RPC name; unset ones answer with an empty message. */
  readonly handlers: Record<string, Handler>
  /** What was called, newest last. */
  readonly calls: { rpc: string; request: never; context: CallContext }[]
  /** How often the gateway was told to shut down. */
  shutdowns: number
  /** How often a key was verified. */
  verifications: number
  /** Tells the gateway that these keys changed; undefined says that changes were missed. */
  tellKeysChanged(names?: string[]): Promise<void>
  stopTasks(): Promise<void>
  startTasks(): Promise<void>
  /** Calls the gateway with a key: `admin`, `viewer`, `submitter`, `worker`, or any text. */
  call(
    method: string,
    path: string,
    options?: CallOptions,
  ): Promise<{ status: number; headers: Headers; text: string; error: RpcErrorBody }>
}

export interface CallOptions {
  key?: string
  body?: unknown
  headers?: Record<string, string>
}

export interface RpcErrorBody {
  code: number
  status: string
  message: string
  details: { reason?: string; fieldViolations?: { field: string }[] }[]
}

const roles: Record<string, Role> = {
  admin: Role.ROLE_ADMIN,
  viewer: Role.ROLE_VIEWER,
  submitter: Role.ROLE_SUBMITTER,
  worker: Role.ROLE_WORKER,
}

/** The same service, but its handlers answer with JSON, of which a test writes only what it is about. */
function answeringJson(definition: ServiceDefinition): ServiceDefinition {
  return Object.fromEntries(
    Object.entries(definition).map(([name, method]) => {
      const [, service = '', rpc] = method.path.split('/')
      const { output } = descriptorRegistry()
        .getService(service)!
        .methods.find((candidate) => candidate.name === rpc)!
      return [
        name,
        { ...method, responseSerialize: (value: JsonValue) => Buffer.from(toBinary(output, fromJson(output, value))) },
      ]
    }),
  )
}

/** A gateway of `projects/a` before services that a test plays. */
export async function startBehind(t: TestContext, env: Record<string, string> = {}): Promise<Behind> {
  const certificates = testCertificates()
  const behind: Partial<Behind> & Pick<Behind, 'handlers' | 'calls' | 'verifications' | 'shutdowns'> = {
    handlers: {},
    calls: [],
    shutdowns: 0,
    verifications: 0,
  }
  const played = (definition: ServiceDefinition): Service => ({
    definition: answeringJson(definition),
    handlers: Object.fromEntries(
      Object.keys(definition).map((rpc) => [
        rpc,
        (request: never, context: CallContext, send: never) => {
          behind.calls.push({ rpc, request, context })
          return behind.handlers[rpc]?.(request, context, send) ?? Promise.resolve({})
        },
      ]),
    ),
  })
  let tellKeysChanged: Behind['tellKeysChanged']
  const watching = Promise.withResolvers<void>()
  const auth: Service = {
    definition: AuthServiceService,
    handlers: {
      async verifyApiKey({ secret }: VerifyApiKeyRequest): Promise<VerifyApiKeyResponse> {
        behind.verifications++
        const role = roles[secret]
        if (role === undefined) throw unauthenticated('API_KEY_INVALID', 'no')
        return {
          principal: `projects/a/apiKeys/${secret}`,
          project: 'projects/a',
          roles: [role],
          expireTime: undefined,
        }
      },
      async watchApiKeys(
        _request: unknown,
        context: CallContext,
        send: (response: WatchApiKeysResponse) => Promise<void>,
      ): Promise<void> {
        tellKeysChanged = (names) => send({ apiKeys: names ?? [], missed: names === undefined })
        await send({ apiKeys: [], missed: true })
        watching.resolve()
        await Promise.race([once(context.signal, 'abort'), once(context.draining, 'abort')])
      },
    },
  }
  const serve = (component: string, services: Service[], listen = '127.0.0.1:0'): Promise<RunningServer> => {
    const health = createHealth()
    health.markReady()
    return startServer({ listen, workload: certificates.workloadOf(component), services, log: quietLog, health })
  }
  const taskServices = [played(TaskServiceService), played(WorkerServiceService)]
  let tasks = await serve('tasks', taskServices)
  const tasksAddress = `127.0.0.1:${tasks.port}`
  const accounts = await serve('accounts', [auth, played(AccountServiceService)])
  const config = readGatewayConfig({
    FLOWFORGE_LISTEN: '127.0.0.1:0',
    FLOWFORGE_CERTIFICATES: certificates.folderFor('gateway'),
    FLOWFORGE_TASKS_ADDRESS: tasksAddress,
    FLOWFORGE_ACCOUNTS_ADDRESS: `127.0.0.1:${accounts.port}`,
    FLOWFORGE_NOTIFICATIONS_ADDRESS: '127.0.0.1:9',
    ...env,
  })
  const workload = certificates.workloadOf('gateway')
  const gateway = await startGateway(config, workload, quietLog, () => behind.shutdowns++)
  t.after(async () => {
    await gateway.stop(100)
    await Promise.all([tasks.stop(0), accounts.stop(0)])
    workload.close()
  })
  const url = `http://127.0.0.1:${gateway.port}`
  return Object.assign(behind, {
    url,
    gateway,
    async tellKeysChanged(names?: string[]) {
      await watching.promise
      await tellKeysChanged(names)
    },
    stopTasks: () => tasks.stop(0),
    async startTasks() {
      tasks = await serve('tasks', taskServices, tasksAddress)
    },
    async call(method: string, path: string, { key = 'admin', body, headers }: CallOptions = {}) {
      const response = await fetch(url + path, {
        method,
        headers: {
          ...(key !== '' && { authorization: `Bearer ${key}` }),
          ...(body !== undefined && { 'content-type': 'application/json' }),
          ...headers,
        },
        ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
      })
      const text = await response.text()
      const { error } = (text.startsWith('{') ? JSON.parse(text) : {}) as { error: RpcErrorBody }
      return { status: response.status, headers: response.headers, text, error }
    },
  })
}
