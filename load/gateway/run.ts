/** `npm run load -- gateway`: rounds of turns, then the reports. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { once } from 'node:events'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { root } from '@flowforge/local/config'
import { commit, machine } from '../facts.ts'
import { chart } from '../report/chart.ts'
import { short } from '../report/numbers.ts'
import type { Results } from '../report/results.ts'
import { tables } from '../report/table.ts'
import { backendProgram, contenders, type Contender, type Place } from './contenders.ts'
import { loadCore } from './load.ts'
import { measures, type MeasureName } from './measures.ts'
import { readOptions, type Options } from './options.ts'
import { startPinned } from './pinned.ts'
import { readme } from './readme.ts'
import { answers } from './requests.ts'
import { drawing, sheetOf } from './sheet.ts'
import { takeTurn } from './turn.ts'

const resultsFolder = join(root, 'load/results')
const startedAt = performance.now()

/** Runs the comparison as the command line says; exits with 1 when a contender failed. */
export async function runGateway(args: string[]): Promise<void> {
  const options = readOptions(args)
  const folder = mkdtempSync(join(tmpdir(), 'flowforge-load-'))
  const proxy = createServer((_, response) => response.end('ready\n'))
  proxy.listen(0, '127.0.0.1')
  await once(proxy, 'listening')
  const { program, name } = await backendProgram(folder, JSON.stringify(answers))
  const backend = await startPinned(loadCore, program, join(folder, 'backend.log'))
  try {
    const place = { backendPort: backend.port, proxyPort: (proxy.address() as AddressInfo).port, folder }
    finish(await rounds(options, place, name), options)
  } finally {
    await backend.stop()
    proxy.close()
    rmSync(folder, { recursive: true, force: true })
  }
}

async function rounds(options: Options, place: Place, backendName: string): Promise<Results<MeasureName>> {
  const { results, taking } = await prepare(options, place.folder, backendName)
  for (let round = 0; round < options.rounds; round++) {
    for (const { name, contender } of taking) {
      const who = `round ${round + 1} of ${options.rounds}  ${name}`
      try {
        await takeTurn({
          program: await contender.program(place),
          logFile: join(place.folder, `${name}.log`),
          ms: options.seconds * 1_000,
          report(measure, value) {
            results.samples.push({ round, contender: name, measure, value })
            say(`${who}  ${measures[measure].title}: ${short(value)} ${measures[measure].unit}`)
          },
        })
      } catch (error) {
        results.failures.push({ round, contender: name, scenario: 'turn', error: (error as Error).message })
        say(`${who}  FAILED: ${(error as Error).message}`)
      }
    }
  }
  results.seconds = Math.round((performance.now() - startedAt) / 1_000)
  return results
}

/** Finds out who can take part. */
async function prepare(options: Options, folder: string, backendName: string) {
  const chosen = contenders.filter(({ name }) => options.contenders.includes(name))
  const results: Results<MeasureName> = {
    time: new Date().toISOString(),
    commit: await commit(),
    rounds: options.rounds,
    seconds: 0,
    machine: machine(),
    versions: { 'Node.js': process.versions.node, 'services behind': backendName },
    contenders: [],
    skipped: [],
    failures: [],
    samples: [],
  }
  const taking: { name: string; contender: Contender }[] = []
  for (const { name, settings, prepare: prepareOne } of chosen) {
    say(`preparing ${name}`)
    const contender = await prepareOne(folder)
    if ('why' in contender) {
      results.skipped.push({ contender: name, why: contender.why })
      say(`${name} is left out: ${contender.why}`)
      continue
    }
    Object.assign(results.versions, contender.version)
    results.contenders.push({ name, settings })
    taking.push({ name, contender })
  }
  return { results, taking }
}

function finish(results: Results<MeasureName>, options: Options): void {
  if (options.writesResults) {
    mkdirSync(resultsFolder, { recursive: true })
    writeFileSync(join(resultsFolder, 'gateway.json'), `${JSON.stringify(results, null, 2)}\n`)
    writeFileSync(join(resultsFolder, 'gateway.svg'), chart(results, drawing(results)))
    writeFileSync(join(import.meta.dirname, 'README.md'), readme(results))
  }
  process.stdout.write(
    options.json ? `${JSON.stringify(results)}\n` : `${tables(results, sheetOf('flowforge-transcoder'))}\n`,
  )
  if (results.failures.length > 0) process.exitCode = 1
}

function say(text: string): void {
  const seconds = Math.round((performance.now() - startedAt) / 1_000)
  process.stderr.write(`${String(seconds).padStart(5)} s  ${text}\n`)
}
