/** Every command of the documentation works: it is run here, or it is said what it needs and what runs it then. */
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
  /^npm start -- --help$/,
  /^npx flowforge --help$/,
  /^npm run chaos -- (list|render .*)$/,
  /^npm run load -- \w+ --help$/,
  /^FLOWFORGE_PAYLOAD_KEYS=/,
  /^npx flowforge-mesh diff mesh\/baseline\.json$/,
  /^mesh\/install\/install\.sh --dry-run$/,
]

/** Commands that last, and the file in which they are executed. */
const long: [command: RegExp, by: string][] = [
  [/^npm start$/, 'services/system/start.test.ts'],
  [/^npm run demo$/, 'services/system/demo.test.ts'],
  [/^npm test( -- \S+)?$/, '.ci/run'],
  [/^FLOWFORGE_FUZZ_SECONDS=\d+ npx node --test services\/system\/api-fuzz\.test\.ts$/, '.ci/run'],
  [/^npm run check$/, '.ci/run'],
  // Of the bootstrap, which each of the others begins with.
  [/^npm run generate$/, '.ci/run'],
  [/^npm run chaos -- run short$/, '.ci/run'],
  // The same programme with other experiments.
  [/^npm run chaos -- run (worker-kill|all)( --keep)?$/, '.ci/run'],
  [/^npm run chaos -- report$/, 'chaos/report/markdown.test.ts'],
  [/^npm run prove -- (fuzz|differential)$/, '.ci/run'],
  [/^npm run load -- http$/, 'load/http/run.test.ts'],
  // Their results, from which the reports are written, are kept beside them.
  [/^npm run load -- (engine|gateway|runtime|grpc|scaling|capacity)( --kubernetes)?$/, 'load/results'],
  [/^npm run load -- engine --scale full /, 'load/results'],
  [/^npm run sbom$/, 'deploy'],
]

/** Commands for a cluster, for Docker or for Helm, and what executes them where there is one. */
const elsewhere: [command: RegExp, by: string][] = [
  [/^npm run chaos -- run tasks-kill --kubernetes /, 'chaos/kubernetes/driver.ts'],
  [/^npm run --silent chaos -- render .* \| kubectl (apply|delete)/, 'chaos/kubernetes/render.test.ts'],
  [/^kubectl get workflownodes /, 'chaos/kubernetes/render.test.ts'],
  [/^mesh\/install\/install\.sh$/, 'deploy/cluster'],
  [/^kubectl apply --server-side -f .*gateway-api/, '.ci/run'],
  [/^helm install (cert|trust)-manager /, 'mesh/install'],
  [/^helm (install|test|uninstall|upgrade|rollback|template)( (--install )?flowforge.*)?$/, 'deploy/cluster'],
  [/^npm run test:cluster$/, 'deploy/cluster'],
  [/^npm run check:chart$/, 'helm/check'],
  [/^npm run release -- --tag V$/, 'deploy'],
  [/^kubectl (delete secret,pvc,job |rollout restart )/, 'deploy/cluster'],
  [/^docker (build|run|compose)/, 'deploy'],
  [/^helm template .* \| npx flowforge-mesh lint/, 'mesh/commands'],
  [/^kubectl (get (pods|cluster|events)|logs )/, 'deploy/cluster'],
  [/^npx flowforge (list |queues list$)/, 'sdk/cli/flowforge.test.ts'],
]

/** Names of programmes and forms of commands, which a text speaks of and nobody types as they stand. */
const forms = [/…|COMMIT|SUITE/, /^npx (flowforge|flowforge-mesh|oxfmt)( lint)?$/, /^npm run chaos$/]

/** A command with the place that it stands at. */
interface Documented {
  at: string
  command: string
}

/** The lines of every block of shell, and every command in the middle of a text. */
function documented(): Documented[] {
  const files = execFileSync('git', ['ls-files', '*.md'], { cwd: root, encoding: 'utf8' }).trim().split('\n')
  return files.flatMap((at) => {
    const text = readFileSync(join(root, at), 'utf8')
    const lines = [...text.matchAll(/^ *```sh.*\n([^]*?)^ *```$/gm)].flatMap(([, block]) =>
      block!
        .replaceAll(/\\\n\s*/g, '')
        .split('\n')
        .map((line) => line.replace(/\s+# .*$/, '').trim())
        .filter((line) => line !== '' && !line.startsWith('#')),
    )
    const inText = [...text.matchAll(/(?<!`)`((?:npm (?:run|test|start)|npx|helm|kubectl|docker) ?[^`\n]*)`/g)]
    // A word alone is a name; `npm test` and the like are commands.
    const spoken = inText.map(([, command]) => command!).filter((command) => command.includes(' '))
    return [...new Set([...lines, ...spoken])].map((command) => ({ at, command }))
  })
}

const commands = documented()
const matches = (patterns: RegExp[], { command }: Documented) => patterns.some((pattern) => pattern.test(command))
const known = [...long, ...elsewhere].map(([pattern]) => pattern)

test('each command of the documentation is run here, or it is said what it needs', () => {
  ok(commands.length > 60, `${commands.length} commands were found`)
  deepEqual(
    commands.filter((one) => !matches([...run, ...known, ...forms], one)),
    [],
  )
})

test('nothing is said of commands that no text has', () => {
  const unused = [...run, ...known, ...forms].filter((one) => !commands.some(({ command }) => one.test(command)))
  deepEqual(unused, [])
})

test('whatever is named to run a command is there', () => {
  deepEqual(
    [...long, ...elsewhere].map(([, by]) => by).filter((by) => !existsSync(join(root, by))),
    [],
  )
})

const isRun = (one: Documented) => matches(run, one) && !matches(forms, one)
for (const [command, places] of Map.groupBy(commands.filter(isRun), (one) => one.command))
  test(`${places.map(({ at }) => at).join(', ')}: ${command}`, async (t) => {
    const programme = /^[A-Z_]+="[^$]*\$\((\w+)/.exec(command)?.[1] ?? command.split(' ')[0]!
    if (!(await isInstalled(join(programme.includes('/') ? root : '', programme))))
      return t.skip(`${programme} is not installed`)
    const { code, stderr } = await runCommand('sh', ['-c', command], { cwd: root })
    equal(code, 0, stderr)
  })
