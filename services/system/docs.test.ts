/** Every command of the documentation works: it is run here, or by the test that is named for it. */
import { deepEqual, equal, ok } from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { isInstalled, runCommand } from './testing/run-command.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))

/** Commands that end by themselves in seconds, need nothing but a clone, and change nothing. */
const run: RegExp[] = [
  /^npx flowforge --help$/,
  /^npm run chaos -- (list|render .*)$/,
  /^FLOWFORGE_PAYLOAD_KEYS=/,
  /^npx flowforge-mesh diff mesh\/baseline\.json$/,
]

/** The others, and the file in which they are executed. */
const elsewhere: [command: RegExp, by: string][] = [
  [/^npm start$/, 'services/system/start.test.ts'],
  [/^npm run demo$/, 'services/system/demo.test.ts'],
  [/^npm test$/, '.ci/run'],
  [/^npm run chaos -- run short$/, '.ci/run'],
  // The same programme with other experiments.
  [/^npm run chaos -- run (worker-kill|all)( --keep)?$/, '.ci/run'],
  [/^npm run chaos -- run tasks-kill --kubernetes /, 'chaos/kubernetes/driver.ts'],
  [/^npm run chaos -- report$/, 'chaos/report/markdown.test.ts'],
  [/^npm run --silent chaos -- render .* \| kubectl (apply|delete)/, 'chaos/kubernetes/render.test.ts'],
  [/^kubectl get workflownodes /, 'chaos/kubernetes/render.test.ts'],
  [/^mesh\/install\/install\.sh/, 'deploy/cluster'],
  [/^helm (install|test) flowforge/, 'deploy/cluster'],
  [/^npm run test:cluster$/, 'deploy/cluster'],
  [/^npm run release -- --tag V$/, 'deploy'],
  [/^kubectl delete secret,pvc,job /, 'deploy/cluster'],
  [/^helm upgrade --install flowforge helm\/flowforge/, 'deploy/cluster'],
  [/^docker (build|run|compose)/, 'deploy'],
  [/^helm template .* \| npx flowforge-mesh lint/, 'mesh/commands'],
]

/** Tools of others that no test installs; whoever wrote the line has run it. */
const byHand = [/^pip install schemathesis$/, /^st run /]

/** A command with the place that it stands at. */
interface Documented {
  at: string
  command: string
}

function documented(): Documented[] {
  const files = execFileSync('git', ['ls-files', '*.md'], { cwd: root, encoding: 'utf8' }).trim().split('\n')
  return files.flatMap((file) => {
    const text = readFileSync(join(root, file), 'utf8')
    return [...text.matchAll(/^ *```sh.*\n([^]*?)^ *```$/gm)].flatMap(([, block]) =>
      block!
        .replaceAll(/\\\n\s*/g, '')
        .split('\n')
        .map((line) => line.replace(/\s+# .*$/, '').trim())
        .filter((line) => line !== '' && !line.startsWith('#'))
        .map((command) => ({ at: file, command })),
    )
  })
}

const commands = documented()
const isRun = ({ command }: Documented) => run.some((pattern) => pattern.test(command))

test('each command of the documentation is run here or by a test that is named', () => {
  ok(commands.length > 15, `${commands.length} commands were found`)
  const isKnown = ({ command }: Documented) =>
    elsewhere.some(([pattern]) => pattern.test(command)) || byHand.some((pattern) => pattern.test(command))
  const unknown = commands.filter((one) => !isRun(one) && !isKnown(one))
  deepEqual(unknown, [])
})

test('whatever is named to run a command is there', () => {
  deepEqual(
    elsewhere.map(([, by]) => by).filter((by) => !existsSync(join(root, by))),
    [],
  )
})

for (const { at, command } of commands.filter(isRun))
  test(`${at}: ${command}`, async (t) => {
    const programme = /^[A-Z_]+="[^$]*\$\((\w+)/.exec(command)?.[1] ?? command.split(' ')[0]!
    if (!(await isInstalled(programme))) return t.skip(`${programme} is not installed`)
    const { code, stderr } = await runCommand('sh', ['-c', command], { cwd: root })
    equal(code, 0, stderr)
  })
