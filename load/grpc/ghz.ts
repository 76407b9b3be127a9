import { execFile, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { root } from '@flowforge/local/config'

const cache = join(root, 'node_modules/.cache/flowforge/bin')
const version = 'v0.121.0'

/** What ghz says of a run; durations in nanoseconds. */
export interface GhzReport {
  count: number
  rps: number
  latencyDistribution: { percentage: number; latency: number }[] | null
  statusCodeDistribution: Record<string, number>
}

/** The ghz of the PATH or of the cache; throws with what to do when there is none. */
export function findGhz(): string {
  const cached = join(cache, 'ghz')
  if (existsSync(cached)) return cached
  if (spawnSync('ghz', ['--version'], { stdio: 'ignore' }).status === 0) return 'ghz'
  throw new Error(
    'ghz is not installed: add --install, which builds it with Go into node_modules/.cache, or see https://ghz.sh',
  )
}

/** Builds ghz with Go into the cache, once. */
export function installGhz(): void {
  if (existsSync(join(cache, 'ghz'))) return
  process.stderr.write(`go install github.com/bojand/ghz/cmd/ghz@${version} into ${cache}: a minute or two, once\n`)
  mkdirSync(cache, { recursive: true })
  const args = ['GOBIN=' + cache, 'go', 'install', `github.com/bojand/ghz/cmd/ghz@${version}`]
  const { status, error } = spawnSync('env', args, { stdio: 'inherit' })
  if (status !== 0) throw new Error(`ghz could not be built: ${error?.message ?? 'see above'}; Go is at https://go.dev`)
}

/** Runs it and reads its report. */
export async function runGhz(ghz: string, args: string[]): Promise<GhzReport> {
  const { stdout } = await promisify(execFile)(ghz, [...args, '--format', 'json'], {
    maxBuffer: 256 * 1024 * 1024,
    cwd: root,
  })
  return JSON.parse(stdout) as GhzReport
}
