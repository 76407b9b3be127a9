/**
 * Nothing is opened by accident: what widens or weakens the released policy has to be quoted in a decision record.
 *
 * The released policy is `mesh/baseline.json`, in the tree, so that the gate needs neither network nor history. It moves
 * with `flowforge-mesh baseline`, at a release, and only through this gate.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Snapshot } from '../outputs/snapshot.ts'
import { diff, type Change } from './diff.ts'

export const baselineFile = 'mesh/baseline.json'

/** Changes since the baseline that need a decision and have none. `root` is the repository's. */
export function unacknowledged(root: string, current: Snapshot): Change[] {
  const baseline = JSON.parse(readFileSync(join(root, baselineFile), 'utf8')) as Snapshot
  const known = acknowledgements(join(root, 'docs/decisions'))
  return diff(baseline, current).filter(({ kind, text }) => kind !== 'noted' && !known.has(text))
}

/** Lines `Acknowledged: <change>` of all decision records. */
function acknowledgements(folder: string): Set<string> {
  const records = readdirSync(folder).filter((name) => name.endsWith('.md'))
  const lines = records.flatMap((name) => readFileSync(join(folder, name), 'utf8').split('\n'))
  return new Set(lines.flatMap((line) => /^(?:- )?Acknowledged: (.+?)\.?$/.exec(line)?.[1] ?? []))
}
