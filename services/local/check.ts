/** `npm run check`: everything that can be found out without running the system. Runs all, then fails if one failed. */
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { bufBinary } from '@flowforge/proto/buf'
import { root } from './config.ts'

const bin = (name: string) => join(root, 'node_modules/.bin', name)
const checks: { name: string; command: string; args: string[] }[] = [
  {
    name: 'contracts (buf lint)',
    command: bufBinary(),
    args: ['lint'],
  },
  { name: 'types (tsc)', command: bin('tsc'), args: ['--noEmit', '-p', '.'] },
  { name: 'faults and layers (oxlint)', command: bin('oxlint'), args: ['--type-aware', '--deny-warnings'] },
  { name: 'format (oxfmt)', command: bin('oxfmt'), args: ['--check'] },
  { name: 'unused code (knip)', command: bin('knip'), args: [] },
  { name: 'compiled policy (flowforge-mesh)', command: process.execPath, args: [join(root, 'mesh/main.ts'), 'check'] },
]

let failures = 0
for (const check of checks) {
  const startedAt = performance.now()
  const { ok, output } = await run(check.command, check.args)
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(1)
  process.stdout.write(`${ok ? 'ok    ' : 'FAILED'} ${check.name}, ${seconds} s\n`)
  if (ok) continue
  failures += 1
  process.stdout.write(`${output.trimEnd().replaceAll(/^/gm, '  ')}\n`)
}
if (failures > 0) process.stdout.write(`${failures} of ${checks.length} checks failed\n`)
process.exit(failures > 0 ? 1 : 0)

function run(command: string, args: string[]): Promise<{ ok: boolean; output: string }> {
  return new Promise((resolve) => {
    const child = spawn(command, args, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] })
    let output = ''
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding('utf8').on('data', (text: string) => (output += text))
    child.once('error', (error) => resolve({ ok: false, output: error.message }))
    child.once('close', (code) => resolve({ ok: code === 0, output }))
  })
}
