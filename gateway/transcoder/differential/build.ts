/** grpc-gateway v2 for one service: generated, compiled and started. It needs Go, which nothing else here does. */
import { execFile } from 'node:child_process'
import { cpSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { buf } from '@flowforge/proto/buf'

const run = promisify(execFile)
const source = join(import.meta.dirname, 'go')
const plugins = [
  'google.golang.org/protobuf/cmd/protoc-gen-go',
  'google.golang.org/grpc/cmd/protoc-gen-go-grpc',
  'github.com/grpc-ecosystem/grpc-gateway/v2/protoc-gen-grpc-gateway',
]
// A cold build compiles gRPC, protobuf and the plugins.
const buildMsMax = 280_000

export interface GrpcGatewayOptions {
  /** Anything that `buf generate` reads: a folder of protos, or a descriptor set. */
  readonly input: string
  /** Its files and folders to generate: those of the service, and of what they import that is not Google's. */
  readonly paths: readonly string[]
  /** Full name, for example `example.v1.Library`. */
  readonly service: string
  /** Empty or missing; everything is made in there. */
  readonly folder: string
}

/** Builds `gateway BACKEND` for a service; tells why not when there is no Go, or no modules can be had. */
export async function buildGrpcGateway(
  options: GrpcGatewayOptions,
): Promise<{ binary: string; version: string } | { why: string }> {
  const { input, paths, service, folder } = options
  const hasGo = await run('go', ['version']).then(
    () => true,
    () => false,
  )
  if (!hasGo) return { why: 'Go is not installed' }
  const bin = join(folder, 'bin')
  mkdirSync(bin, { recursive: true })
  cpSync(source, folder, { recursive: true })
  try {
    await go(folder, 'build', '-o', `${bin}/`, ...plugins)
    generate(folder, bin, input, paths)
    const at = service.lastIndexOf('.')
    writeFileSync(join(folder, 'register.go'), registration(service.slice(0, at), service.slice(at + 1)))
    await go(folder, 'build', '-o', join(bin, 'gateway'), '.')
    const { stdout } = await go(folder, 'list', '-m', '-f', '{{.Version}}', 'github.com/grpc-ecosystem/grpc-gateway/v2')
    return { binary: join(bin, 'gateway'), version: stdout.trim() }
  } catch (error) {
    return { why: `it could not be built: ${(error as Error).message.split('\n').slice(0, 4).join(' ')}` }
  }
}

function go(folder: string, ...args: string[]) {
  return run('go', args, { cwd: folder, timeout: buildMsMax })
}

function generate(folder: string, bin: string, input: string, paths: readonly string[]): void {
  const plugin = (name: string) => ({
    local: join(bin, name),
    out: join(folder, 'gen'),
    opt: 'paths=source_relative',
  })
  const template = {
    version: 'v2',
    managed: {
      enabled: true,
      // Google's files say themselves where their Go code is.
      disable: [{ path: 'google' }],
      override: [{ file_option: 'go_package_prefix', value: 'gateway/gen' }],
    },
    plugins: [plugin('protoc-gen-go'), plugin('protoc-gen-go-grpc'), plugin('protoc-gen-grpc-gateway')],
  }
  const only = paths.flatMap((path) => ['--path', path])
  buf(folder, 'generate', input, '--template', JSON.stringify(template), ...only)
}

function registration(protoPackage: string, service: string): string {
  return `package main

import service "gateway/gen/${protoPackage.replaceAll('.', '/')}"

func init() { register = service.Register${service}Handler }
`
}
