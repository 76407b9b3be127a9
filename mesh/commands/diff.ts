import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Command } from 'commander'
import { root } from '../compiled-files.ts'
import { diff } from '../diff/diff.ts'
import { baselineFile, unacknowledged } from '../diff/gate.ts'
import { snapshot } from '../outputs/snapshot.ts'
import { loadPolicies } from '../policy/read-policies.ts'
import { readSnapshot } from './read-snapshot.ts'
import { found, say } from './say.ts'

export function addDiff(program: Command): void {
  program
    .command('diff')
    .description('say which access two policies differ in; each is a snapshot (.json) or a descriptor set (.binpb)')
    .argument('<old>')
    .argument('[new]', 'by default the contracts of this tree')
    .addHelpText('after', `\nExample:\n  $ flowforge-mesh diff ${baselineFile}`)
    .action((old: string, now: string | undefined) => {
      const changes = diff(readSnapshot(old), now === undefined ? snapshot(loadPolicies()) : readSnapshot(now))
      const lines = changes.map(({ kind, text }) => `${kind.padEnd(8)}  ${text}`)
      if (changes.some(({ kind }) => kind !== 'noted')) found(...lines)
      else say(...lines, ...(lines.length === 0 ? ['no difference'] : []))
    })
}

export function addBaseline(program: Command): void {
  program
    .command('baseline')
    .description(`take the contracts of this tree as released: write ${baselineFile}`)
    .action(() => {
      const current = snapshot(loadPolicies())
      const open = unacknowledged(root, current)
      if (open.length > 0) return found(...open.map(demand))
      writeFileSync(join(root, baselineFile), `${JSON.stringify(current, null, 2)}\n`)
      say(`wrote ${baselineFile}`)
    })
}

/** What somebody has to do about a change. */
export function demand({ kind, text }: { kind: string; text: string }): string {
  return `${kind} since the release: ${text}. If that is meant, say why in a record of docs/decisions with the line "Acknowledged: ${text}"`
}
