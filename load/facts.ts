/** What a reader must know about the machine and the versions to judge the numbers. */
import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { cpus, release, totalmem, type as systemType } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { root } from '@flowforge/local/config'
import type { Results } from './report/results.ts'

const run = promisify(execFile)

export function machine(): Results['machine'] {
  return {
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: cpus().length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    system: `${systemType()} ${release()}`,
  }
}

/** The commit, with a mark when files differ from it. */
export async function commit(): Promise<string> {
  const git = async (...args: string[]) => (await output('git', ['--no-optional-locks', ...args])).trim()
  const hash = await git('rev-parse', '--short=12', 'HEAD')
  if (hash === '') return 'unknown'
  return (await git('status', '--porcelain', '--untracked-files=no')) === '' ? hash : `${hash} with changes`
}

/** What a programme prints; empty when it is not installed. */
export async function output(command: string, args: string[]): Promise<string> {
  return run(command, args, { cwd: root }).then(
    ({ stdout }) => stdout,
    () => '',
  )
}

/** The version of an installed package. */
export function packageVersion(name: string): string {
  return JSON.parse(readFileSync(join(root, 'node_modules', name, 'package.json'), 'utf8')).version
}
