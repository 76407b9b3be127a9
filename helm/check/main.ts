/**
 * `npm run check:chart`: every checker of the chart that this machine has or can install, one line for each.
 *
 * `--update` writes what is generated: the golden renders and the chart's README. Checkers that need Go or Python are
 * installed into a cache; one that cannot be had is told and does not fail the check.
 */
import { execFileSync, spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { homedir, tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseAllDocuments, stringify } from 'yaml'
import { cacheFolder } from './config.ts'
import { clusterSchemas } from './cluster-schemas.ts'
import { schemaGaps } from './schema-coverage.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const chart = join(root, 'helm/flowforge')
const golden = join(root, 'helm/golden')
const cache = cacheFolder ?? join(homedir(), '.cache/flowforge-tools')
const isUpdate = process.argv.includes('--update')
const kubeVersion = '1.35.0'
/** What is rendered only where a cluster has the kinds. */
const kinds = [
  'monitoring.coreos.com/v1',
  'keda.sh/v1alpha1',
  'policy.linkerd.io/v1beta3',
  'gateway.networking.k8s.io/v1',
  'external-secrets.io/v1',
]

let failures = 0
const missing = execFileSync('bash', [join(root, 'helm/check/install.sh')], { encoding: 'utf8' })
if (missing !== '') process.stdout.write(missing.replaceAll(/^(?=.)/gm, 'absent '))

const profiles = readdirSync(join(chart, 'ci')).map((file) => file.replace('-values.yaml', ''))
const renders = new Map(profiles.map((profile) => [profile, render(profile)]))

check('values are closed and covered by the schema', () => schemaGaps(chart))
for (const profile of profiles)
  command(`helm lint, ${profile}`, 'helm', [
    'lint',
    '--strict',
    chart,
    '--kube-version',
    kubeVersion,
    '--values',
    values(profile),
  ])
for (const [profile, text] of renders) check(`golden render, ${profile}`, () => compareGolden(profile, text))
command('helm-unittest', 'untt', [chart])
alerts(renders.get('default')!)
for (const [profile, text] of renders) command(`pod security, ${profile}`, 'pod-security', [], text)
for (const profile of profiles) {
  const ignored: string[] = []
  // One pod of each is what that profile is for.
  if (profile === 'small' || profile === 'canary') ignored.push('deployment-replicas')
  // A tag of ours is never moved; profiles without a digest may use what the node has.
  if (!renders.get(profile)!.includes('imagePullPolicy: Always')) ignored.push('container-image-pull-policy')
  const flags = ignored.flatMap((test) => ['--ignore-test', test])
  command(
    `kube-score, ${profile}`,
    'kube-score',
    [
      'score',
      '--output-format',
      'ci',
      '--exit-one-on-warning',
      '--ignore-container-cpu-limit',
      '--kubernetes-version',
      'v1.35',
      ...flags,
      '-',
    ],
    renders.get(profile),
  )
}
const schemas = schemaLocation()
const conform = ['-strict', '-ignore-missing-schemas', '-kubernetes-version', kubeVersion]
for (const [profile, text] of renders) {
  if (schemas) command(`kubeconform, ${profile}`, 'kubeconform', [...conform, '-schema-location', schemas], text)
  else absent(`kubeconform, ${profile}: neither a cluster nor the network answers with schemas`)
}
command('helm-docs', 'helm-docs', [
  '--chart-search-root',
  chart,
  '--template-files',
  'README.md.gotmpl',
  '--sort-values-order',
  'file',
])
check('the README is what helm-docs writes', () => changed('helm/flowforge/README.md'))
command('hadolint', 'hadolint', [join(root, 'Dockerfile')])
checkov('kubernetes', golden)
checkov('dockerfile', join(root, 'Dockerfile'))
process.exit(failures === 0 ? 0 : 1)

function values(profile: string): string {
  return join(chart, 'ci', `${profile}-values.yaml`)
}

function render(profile: string): string {
  const apis = kinds.flatMap((kind) => ['--api-versions', kind])
  const args = ['template', 'flowforge', chart, '--namespace', 'flowforge', '--kube-version', kubeVersion, ...apis]
  return execFileSync(find('helm')!, [...args, '--values', values(profile)], { encoding: 'utf8', maxBuffer: 1 << 26 })
}

function compareGolden(profile: string, text: string): string {
  const file = join(golden, `${profile}.yaml`)
  if (isUpdate) {
    mkdirSync(golden, { recursive: true })
    writeFileSync(file, text)
  }
  if (existsSync(file) && readFileSync(file, 'utf8') === text) return ''
  return `helm/golden/${profile}.yaml is not what the chart renders; npm run check:chart -- --update`
}

function changed(file: string): string {
  const { stdout } = spawnSync('git', ['status', '--porcelain', file], { cwd: root, encoding: 'utf8' })
  return isUpdate || stdout === '' ? '' : `${file} changed: commit it`
}

function checkov(framework: string, path: string): void {
  const where = path.endsWith('Dockerfile') ? '--file' : '--directory'
  const options = [
    '--framework',
    framework,
    '--skip-download',
    '--quiet',
    '--compact',
    '--config-file',
    join(root, 'helm/check/checkov.yaml'),
  ]
  command(`checkov, ${framework}`, 'checkov', [where, path, ...options])
}

/** The rules as the chart renders them, judged by Prometheus itself. */
function alerts(text: string): void {
  const folder = mkdtempSync(join(tmpdir(), 'flowforge-rules-'))
  const objects = parseAllDocuments(text).map((document) => document.toJS() as { kind?: string; spec: object } | null)
  writeFileSync(
    join(folder, 'rules.yaml'),
    stringify(objects.find((object) => object?.kind === 'PrometheusRule')!.spec),
  )
  cpSync(join(root, 'helm/check/alerts-test.yaml'), join(folder, 'alerts-test.yaml'))
  command('rules, as Prometheus reads them', 'promtool', ['check', 'rules', join(folder, 'rules.yaml')])
  command('alerts fire when they should', 'promtool', ['test', 'rules', join(folder, 'alerts-test.yaml')])
  rmSync(folder, { recursive: true })
}

/** Where the kinds are: those of the cluster at hand, or Kubernetes' own on the network. Kinds that neither has are told. */
function schemaLocation(): string | undefined {
  const own = clusterSchemas(join(cache, 'schemas'))
  if (own) {
    const rendered = new Set([...renders.values()].flatMap(kindsOf))
    for (const kind of rendered) if (!own.has(kind)) absent(`kubeconform, ${kind}: the cluster does not have it`)
    return own.location
  }
  const path = find('kubeconform')
  const input = 'apiVersion: v1\nkind: Namespace\nmetadata:\n  name: any\n'
  const answers = path && spawnSync(path, ['-strict', '-kubernetes-version', kubeVersion], { input }).status === 0
  return answers ? 'default' : undefined
}

/** Each as `apiVersion kind`. */
function kindsOf(text: string): string[] {
  const objects = parseAllDocuments(text).map(
    (document) => document.toJS() as { apiVersion: string; kind: string } | null,
  )
  return objects.filter((object) => object !== null).map(({ apiVersion, kind }) => `${apiVersion} ${kind}`)
}

/** The program's path: on the PATH, or in the cache. */
function find(program: string): string | undefined {
  const cached = [join(cache, 'bin', program), join(cache, 'python/bin', program)].find((file) => existsSync(file))
  if (cached) return cached
  return spawnSync(program, ['--help'], { stdio: 'ignore' }).error ? undefined : program
}

function command(name: string, program: string, args: string[], input = ''): void {
  const path = find(program)
  if (path === undefined) return absent(name)
  check(name, () => {
    const { status, stdout, stderr } = spawnSync(path, args, { cwd: root, encoding: 'utf8', input, maxBuffer: 1 << 26 })
    // kube-score tells of everything that it looked at.
    return status === 0 ? '' : `${stdout}${stderr}`.replaceAll(/^\[(OK|SKIPPED)\].*\n/gm, '')
  })
}

function absent(what: string): void {
  process.stdout.write(`absent ${what}\n`)
}

/** Runs one check; it gives what is wrong, or nothing. */
function check(name: string, run: () => string): void {
  const wrong = run()
  process.stdout.write(`${wrong === '' ? 'ok    ' : 'FAILED'} ${name}\n`)
  if (wrong === '') return
  failures += 1
  process.stdout.write(`${wrong.trimEnd().replaceAll(/^/gm, '  ')}\n`)
}
