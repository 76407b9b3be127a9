/** `npm run load -- grpc`: ghz against the services, over mTLS, with the configurations that are compiled from the contracts. */
import { chmodSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startSystem, type System } from '@flowforge/local/system'
import { identityOf } from '@flowforge/runtime/identity'
import { namesOf, numberOf, suiteOptions } from '../suite-options.ts'
import { findGhz, installGhz, runGhz, type GhzReport } from './ghz.ts'
import { requests } from './requests.ts'

const usage = `Usage: npm run load -- grpc [options]

Needs ghz on the PATH.

  --rpc NAMES    of ${Object.keys(requests).join(', ')} (all)
  --rate N       calls a second, whether earlier ones were answered or not (200)
  --seconds N    for each RPC (10)
  --install      builds ghz with Go into node_modules/.cache, once
  --help         this text

Exits with 1 when more than one call in a thousand failed.
`
const errorShareMax = 0.001

export async function runGrpc(args: string[]): Promise<void> {
  const { names, rate, seconds, ghz } = readOptions(args)
  const folder = mkdtempSync(join(tmpdir(), 'flowforge-load-'))
  chmodSync(folder, 0o711)
  const system = await startSystem({ dataDir: join(folder, 'data'), port: 0, env: { FLOWFORGE_LOG_LEVEL: 'warn' } })
  try {
    for (const name of names) {
      const report = await runGhz(ghz, argumentsFor(system, name, rate, seconds))
      const errors = report.count - (report.statusCodeDistribution.OK ?? 0)
      if (errors > report.count * errorShareMax) process.exitCode = 1
      process.stdout.write(`${name.padEnd(36)}${line(report, errors)}\n`)
    }
  } finally {
    await system.stop()
    rmSync(folder, { recursive: true, force: true })
  }
}

function argumentsFor(system: System, name: string, rate: number, seconds: number): string[] {
  const component = name.split('.')[0] as keyof System['addresses']
  const own = join(system.folder.certificates, 'operator')
  const tls = ['--cacert', join(own, 'ca.pem'), '--cert', join(own, 'certificate.pem'), '--key', join(own, 'key.pem')]
  const load = [
    '--async',
    '--rps',
    String(rate),
    '--concurrency',
    '50',
    '--duration',
    `${seconds}s`,
    '--duration-stop',
    'wait',
  ]
  const request = ['--config', `load/ghz/${name}.json`, '--data', JSON.stringify(requests[name])]
  return [...request, ...tls, '--cname', identityOf(component), ...load, system.addresses[component]]
}

function line({ count, rps, latencyDistribution, statusCodeDistribution }: GhzReport, errors: number): string {
  const at = (wanted: number) => {
    const found = latencyDistribution?.find(({ percentage }) => percentage === wanted)
    return found ? (found.latency / 1e6).toFixed(1) : '–'
  }
  const kinds = Object.entries(statusCodeDistribution).map(([code, of]) => `${of} ${code}`)
  return `${Math.round(rps)}/s  p50 ${at(50)} p90 ${at(90)} p95 ${at(95)} p99 ${at(99)} ms  ${errors} of ${count} failed (${kinds.join(', ')})`
}

function readOptions(args: string[]) {
  return suiteOptions(
    usage,
    args,
    {
      rpc: { type: 'string' },
      rate: { type: 'string', default: '200' },
      seconds: { type: 'string', default: '10' },
      install: { type: 'boolean', default: false },
    },
    (values) => {
      const names = namesOf('rpc', values.rpc, Object.keys(requests))
      const rate = numberOf('rate', values.rate, 1, 100_000)
      const seconds = numberOf('seconds', values.seconds, 1, 3_600)
      if (values.install) installGhz()
      return { names, rate, seconds, ghz: findGhz() }
    },
  )
}
