/** `npm run load -- engine`: rounds of turns, then the reports. */
import { chmodSync, cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { root } from '@flowforge/local/config'
import { startPostgres, type Postgres } from '@flowforge/local/postgres'
import { contenders, type Contender } from './contenders.ts'
import { explainSlowStatements } from './explain.ts'
import { commit, machine, output, packageVersion } from '../facts.ts'
import { chart } from '../report/chart.ts'
import { short } from '../report/numbers.ts'
import { tables } from '../report/table.ts'
import { postgresFacts } from './facts.ts'
import { keepFullRun, readFullRuns } from './full-results.ts'
import { measures } from './measures.ts'
import { readOptions, type Options } from './options.ts'
import { readme } from './readme.ts'
import type { Results } from './results.ts'
import { buildRiver } from './river.ts'
import { scenarios } from './scenarios.ts'
import { drawing, sheet } from './sheet.ts'
import { takeTurn, TurnError } from './turn.ts'

const resultsFolder = join(root, 'load/results')
const resultsFile = join(resultsFolder, 'engine.json')
const profilesFolder = join(resultsFolder, 'profiles')
const startedAt = performance.now()

/** Runs the benchmark as the command line says; exits with 1 when a contender failed. */
export async function runEngine(args: string[]): Promise<void> {
  const options = readOptions(args)
  const interrupted = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => interrupted.abort())
  const folder = mkdtempSync(join(tmpdir(), 'flowforge-load-'))
  // PostgreSQL may run as another user, who must be able to pass.
  chmodSync(folder, 0o711)
  const postgresLog = join(folder, 'postgres.log')
  let postgres: Postgres | undefined
  try {
    postgres = await startPostgres({
      dataDir: join(folder, 'postgres'),
      logFile: postgresLog,
      password: 'load',
      signal: interrupted.signal,
      onMessage: say,
    })
    if (options.profile) await explainSlowStatements(postgres.url)
    const results = await rounds(options, { postgres, postgresLog, folder, signal: interrupted.signal })
    if (!interrupted.signal.aborted) finish(results, options)
  } catch (error) {
    if (!interrupted.signal.aborted) throw error
  } finally {
    if (interrupted.signal.aborted) process.exitCode = 130
    await postgres?.stop(10_000)
    if (options.profile && existsSync(postgresLog)) cpSync(postgresLog, join(profilesFolder, 'postgres.log'))
    rmSync(folder, { recursive: true, force: true })
  }
}

interface Place {
  postgres: Postgres
  postgresLog: string
  folder: string
  signal: AbortSignal
}

async function rounds(options: Options, { postgres, postgresLog, folder, signal }: Place): Promise<Results> {
  const { results, taking, riverBinary } = await prepare(options, postgres, folder)
  const profiles = options.profile ? profilesFolder : undefined
  for (let round = 0; round < options.rounds; round++) {
    for (const contender of taking) {
      if (signal.aborted) return results
      const who = `round ${round + 1} of ${options.rounds}  ${contender.name}`
      const report: Parameters<typeof takeTurn>[0]['report'] = (measure, value) => {
        results.samples.push({ round, contender: contender.name, measure, value })
        say(`${who}  ${measures[measure].title}: ${short(value)} ${measures[measure].unit}`)
      }
      const wanted = scenarios.filter(({ name, once }) => options.scenarios.includes(name) && !(once && round > 0))
      try {
        await takeTurn({
          contender,
          scenarios: wanted,
          scale: options.scale,
          postgres,
          postgresLog,
          riverBinary,
          folder,
          profiles,
          signal,
          report,
          say: (text) => say(`${who}  ${text}`),
        })
      } catch (error) {
        if (signal.aborted) return results
        const { scenario } = error as TurnError
        results.failures.push({ round, contender: contender.name, scenario, error: (error as Error).message })
        say(`${who}  FAILED at ${scenario}: ${(error as Error).message}`)
      }
    }
  }
  results.seconds = Math.round((performance.now() - startedAt) / 1000)
  return results
}

/** Finds out who can take part. */
async function prepare(options: Options, postgres: Postgres, folder: string) {
  const chosen = contenders.filter(({ name }) => options.contenders.includes(name))
  const facts = await postgresFacts(postgres.url)
  const versions: Record<string, string> = { 'Node.js': process.versions.node, PostgreSQL: facts.version }
  const absent = new Map<Contender['adapter'], string>()
  let riverBinary: string | undefined
  if (chosen.some(({ adapter }) => adapter === 'river')) {
    const built = await buildRiver(folder)
    if ('why' in built) absent.set('river', built.why)
    else {
      riverBinary = built.binary
      versions.Go = built.go
      versions.River = /river\tv([\d.]+)/.exec(await output('go', ['version', '-m', built.binary]))?.[1] ?? 'unknown'
    }
  }
  if (chosen.some(({ store }) => store === 'redis')) {
    const redis = /v=([\d.]+)/.exec(await output('redis-server', ['--version']))?.[1]
    if (redis) versions.Redis = redis
    else absent.set('bullmq', 'redis-server is not installed (Debian: apt-get install redis-server)')
  }
  for (const name of ['graphile-worker', 'pg-boss', 'bullmq'] as const)
    if (chosen.some(({ adapter }) => adapter === name) && !absent.has(name)) versions[name] = packageVersion(name)
  const skipped = chosen.flatMap(({ name, adapter }) => {
    const why = absent.get(adapter)
    return why ? [{ contender: name, why }] : []
  })
  for (const { contender, why } of skipped) say(`${contender} is left out: ${why}`)
  const taking = chosen.filter(({ adapter }) => !absent.has(adapter))
  const results: Results = {
    time: new Date().toISOString(),
    commit: await commit(),
    scale: options.scaleName,
    rounds: options.rounds,
    seconds: 0,
    machine: machine(),
    versions,
    postgresSettings: facts.settings,
    contenders: taking.map(({ name, settings }) => ({ name, settings })),
    skipped,
    failures: [],
    samples: [],
  }
  return { results, taking, riverBinary }
}

function finish(results: Results, options: Options): void {
  if (options.keeps === 'part') keepFullRun(options.scenarios, results)
  if (options.keeps === 'all') {
    mkdirSync(resultsFolder, { recursive: true })
    writeFileSync(resultsFile, `${JSON.stringify(results, null, 2)}\n`)
    writeFileSync(join(resultsFolder, 'engine.svg'), chart(results, drawing(results)))
  }
  if (options.keeps !== 'nothing') {
    const kept = JSON.parse(readFileSync(resultsFile, 'utf8')) as Results
    writeFileSync(join(import.meta.dirname, 'README.md'), readme(kept, readFullRuns()))
  }
  process.stdout.write(options.json ? `${JSON.stringify(results)}\n` : `${tables(results, sheet)}\n`)
  if (results.failures.length > 0) process.exitCode = 1
}

function say(text: string): void {
  const seconds = Math.round((performance.now() - startedAt) / 1000)
  process.stderr.write(`${String(seconds).padStart(5)} s  ${text}\n`)
}
