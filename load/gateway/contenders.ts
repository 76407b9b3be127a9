/** Who takes part: what each needs, and how it is started before a backend. */
import { execFile } from 'node:child_process'
import { cpSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { buildGrpcGateway } from '@flowforge/gateway/transcoder/differential/build'
import { root } from '@flowforge/local/config'
import { freePort } from '@flowforge/local/free-port'
import { buf, packageFolder } from '@flowforge/proto/buf'
import { output, packageVersion } from '../facts.ts'
import { findEnvoy, writeEnvoyConfig } from './envoy.ts'
import type { Program } from './pinned.ts'

const run = promisify(execFile)
const service = 'flowforge.tasks.v1.TaskService'
const descriptors = join(root, 'proto/gen/descriptors.binpb')

/** What stands behind and beside the gateways. */
export interface Place {
  /** The services' port. */
  backendPort: number
  /** Says that a mesh's proxy is ready, so that our gateway speaks plaintext as its peers do. */
  proxyPort: number
  folder: string
}

/** Prepared once: how to start it, and what it is. */
export interface Contender {
  version: Record<string, string>
  program(place: Place): Promise<Program>
}

export interface ContenderKind {
  name: string
  settings: string
  prepare(folder: string): Promise<Contender | { why: string }>
}

const here = import.meta.dirname
const node = (program: string, ...args: string[]): Program => ({
  command: process.execPath,
  args: [join(here, 'programs', program), ...args],
})
const addressOf = (port: number): string => `127.0.0.1:${port}`

export const contenders: ContenderKind[] = [
  {
    name: 'flowforge',
    settings: 'the whole gateway as it runs: API key, roles, limits, metrics; its cache is passed by',
    prepare: async () => ({ version: {}, program: wholeGateway }),
  },
  {
    name: 'flowforge-transcoder',
    settings: 'our transcoder behind a plain node:http server, which is what the peers do',
    prepare: async () => ({
      version: {},
      program: async ({ backendPort }) => node('transcoder.ts', addressOf(backendPort)),
    }),
  },
  {
    name: 'fastify',
    settings: 'fastify, a handler a route, grpc-js, fromJSON and toJSON of ts-proto (not canonical JSON)',
    async prepare() {
      // Inside the workspace, since what is generated imports packages.
      const generated = join(here, '.generated')
      generateTsProto(generated)
      return {
        version: { fastify: packageVersion('fastify'), 'grpc-js': packageVersion('@grpc/grpc-js') },
        program: async ({ backendPort }) => node('fastify.ts', addressOf(backendPort), generated),
      }
    },
  },
  {
    name: 'grpc-gateway',
    settings: 'generated code, one process with GOMAXPROCS=1',
    async prepare(folder) {
      const built = await buildGrpcGateway({
        input: descriptors,
        paths: ['flowforge/tasks/v1', 'flowforge/mesh/v1'],
        service,
        folder: join(folder, 'grpc-gateway'),
      })
      if ('why' in built) return built
      return {
        version: { 'grpc-gateway': built.version.slice(1) },
        program: async ({ backendPort }) => ({ command: built.binary, args: [addressOf(backendPort)] }),
      }
    },
  },
  {
    name: 'envoy',
    settings: 'grpc_json_transcoder, one worker',
    async prepare() {
      const found = await findEnvoy()
      if ('why' in found) return found
      return {
        version: { Envoy: found.version },
        async program({ backendPort, folder }) {
          const port = await freePort()
          const config = writeEnvoyConfig({ folder, port, backendPort, descriptors, service })
          const args = ['-c', config, '--concurrency', '1', '--log-level', 'error', '--use-dynamic-base-id']
          return { command: found.binary, args, port }
        },
      }
    },
  },
]

async function wholeGateway({ backendPort, proxyPort }: Place): Promise<Program> {
  const [port, adminPort] = [await freePort(), await freePort()]
  const backend = addressOf(backendPort)
  return {
    command: process.execPath,
    args: [join(root, 'gateway/main.ts')],
    port,
    env: {
      FLOWFORGE_LISTEN: addressOf(port),
      FLOWFORGE_ADMIN_LISTEN: addressOf(adminPort),
      FLOWFORGE_TRANSPORT: 'mesh',
      FLOWFORGE_PROXY_ADMIN: addressOf(proxyPort),
      FLOWFORGE_TASKS_ADDRESS: backend,
      FLOWFORGE_ACCOUNTS_ADDRESS: backend,
      FLOWFORGE_NOTIFICATIONS_ADDRESS: backend,
      FLOWFORGE_RATE_LIMIT_PER_MINUTE: '1000000000',
      FLOWFORGE_ADDRESS_RATE_LIMIT_PER_MINUTE: '1000000000',
      FLOWFORGE_LOG_LEVEL: 'warn',
    },
  }
}

function generateTsProto(out: string): void {
  mkdirSync(out, { recursive: true })
  const plugin = {
    local: join(packageFolder('ts-proto'), 'protoc-gen-ts_proto'),
    out,
    include_imports: true,
    opt: ['importSuffix=.ts', 'esModuleInterop=true', 'enumsAsLiterals=true', 'outputServices=grpc-js', 'env=node'],
  }
  buf(root, 'generate', descriptors, '--template', JSON.stringify({ version: 'v2', plugins: [plugin] }))
}

/** The services' program: Go's where there is Go, which leaves more of the core to the load. */
export async function backendProgram(folder: string, answers: string): Promise<{ program: Program; name: string }> {
  const go = /go([\d.]+)/.exec(await output('go', ['version']))?.[1]
  if (go !== undefined) {
    const source = join(folder, 'backend')
    cpSync(join(here, 'backend'), source, { recursive: true })
    try {
      await run('go', ['build', '-o', 'backend', '.'], { cwd: source, timeout: 240_000 })
      return { program: { command: join(source, 'backend'), args: [answers] }, name: `grpc-go, Go ${go}` }
    } catch {
      // No modules can be had; the other one does, too.
    }
  }
  return { program: node('backend.ts', answers), name: 'node:http2' }
}
