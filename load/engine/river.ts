import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { output } from '../facts.ts'

const run = promisify(execFile)
const source = join(import.meta.dirname, 'river')

/** Builds River's programme into the folder; tells why not when there is no Go or it cannot fetch the modules. */
export async function buildRiver(folder: string): Promise<{ binary: string; go: string } | { why: string }> {
  const go = /go\d[^ ]*/.exec(await output('go', ['version']))?.[0]
  if (!go) return { why: 'Go is not installed' }
  const binary = join(folder, 'river')
  try {
    await run('go', ['build', '-o', binary, '.'], { cwd: source, timeout: 240_000 })
    return { binary, go: go.slice(2) }
  } catch (error) {
    return { why: `go build failed: ${(error as Error).message.split('\n').slice(1, 3).join(' ')}` }
  }
}

/** Makes River's tables. */
export async function migrateRiver(binary: string, url: string): Promise<void> {
  await run(binary, ['migrate', url])
}
