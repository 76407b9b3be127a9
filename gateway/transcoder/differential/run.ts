/**
 * `npm run prove -- differential [REQUESTS] [SEED]`: random rules and requests, asked of our transcoder and of
 * grpc-gateway v2. Every difference must be one that differences.ts explains; exits with 1 otherwise.
 */
import { explanations } from './differences.ts'
import { ask, differenceOf, type Difference } from './exchange.ts'
import { startGateways } from './gateways.ts'
import { Random } from './random.ts'
import { randomRequest } from './requests.ts'
import { randomMethods, templateOf } from './templates.ts'

const methodCount = 60
const parallel = 16
const shownMax = 20

/** Runs it; a machine without Go is told so, and passes. */
export async function runDifferential(requestCount: number, seed: number): Promise<void> {
  const random = new Random(seed)
  const methods = randomMethods(random, methodCount)
  const gateways = await startGateways(methods)
  if ('why' in gateways) {
    process.stdout.write(`skipped: grpc-gateway cannot be compared with, ${gateways.why}\n`)
    return
  }
  const counts = new Map<string, number>()
  const unexplained: Difference[] = []
  let asked = 0
  let answered = 0
  const probe = async (): Promise<void> => {
    while (asked < requestCount) {
      asked++
      const request = randomRequest(random, random.pick(methods))
      const [ours, theirs] = await Promise.all([ask(gateways.ours, request), ask(gateways.theirs, request)])
      if (ours.status < 400) answered++
      const difference = differenceOf(request, ours, theirs)
      if (difference === undefined) continue
      const explanation = explanations.find((one) => one.explains(difference))
      if (explanation === undefined) unexplained.push(difference)
      else counts.set(explanation.name, (counts.get(explanation.name) ?? 0) + 1)
    }
  }
  try {
    await Promise.all(Array.from({ length: parallel }, probe))
  } finally {
    gateways.stop()
  }
  report({ asked, answered, counts, unexplained, version: gateways.version, seed })
  if (unexplained.length > 0 || answered < requestCount / 4) process.exitCode = 1
}

function report(result: {
  asked: number
  answered: number
  counts: Map<string, number>
  unexplained: Difference[]
  version: string
  seed: number
}): void {
  const { asked, answered, counts, unexplained, version, seed } = result
  const lines = [
    `${asked} requests (seed ${seed}) to us and to grpc-gateway ${version}; we answered ${answered} and refused the others`,
    ...explanations.map(({ name, rule }) => `${String(counts.get(name) ?? 0).padStart(6)}  ${name}: ${rule}`),
    `${String(unexplained.length).padStart(6)}  unexplained`,
    ...unexplained
      .slice(0, shownMax)
      .map(({ request, ours, theirs }) =>
        [
          `\n  ${request.method} ${request.url} ${request.body ?? ''}`,
          `  rule    ${request.rule.verb} ${templateOf(request.rule)} body "${request.rule.body}" response "${request.rule.responseBody}"`,
          `  ours    ${ours.status} ${JSON.stringify(ours.content).slice(0, 300)}`,
          `  theirs  ${theirs.status} ${JSON.stringify(theirs.content).slice(0, 300)}`,
        ].join('\n'),
      ),
  ]
  process.stdout.write(`${lines.join('\n')}\n`)
}
